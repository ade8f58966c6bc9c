using Spk.Engine.Numerics;

namespace Spk.Training.Data.Synthesis;

/// <summary>
/// Speaks: a glottal pulse train and noise through a cascade of formants (source-filter model; D. Klatt, "Software for a
/// cascade/parallel formant synthesizer", JASA 1980). Phones and intonation are drawn anew for every utterance.
/// </summary>
internal ref struct VoiceRenderer
{
    private const float FrameSeconds = 0.005f;
    private const float FormantGlideSeconds = 0.022f;
    private const float AmplitudeGlideSeconds = 0.007f;
    private static readonly float[] Bandwidths = [65, 85, 125, 190, 260, 340, 420];

    private readonly Voice _voice;
    private readonly float _rate;
    private readonly int _formants;
    private readonly float[] _frequency = new float[Voice.FormantCount];
    private readonly Resonator[] _tract = new Resonator[Voice.FormantCount];
    private Resonator _constriction;
    private CounterRandom _random;
    private float _voicing, _aspiration, _frication;
    private float _phase, _period, _pulse, _tilt;

    private VoiceRenderer(Voice voice, ulong seed, int item, int rate)
    {
        _voice = voice;
        _rate = rate;
        _random = new CounterRandom(seed, RandomPurpose.Synthesis, epoch: 3, item: item);
        while (_formants < Voice.FormantCount && voice.Formant(Phone.Silence, _formants) < 0.46f * rate)
        {
            _formants++;
        }
    }

    /// <summary>One utterance as it leaves the lips, at an arbitrary level.</summary>
    /// <param name="voice">Who speaks.</param>
    /// <param name="seed">The corpus' seed.</param>
    /// <param name="item">Which utterance; decides phones and intonation.</param>
    /// <param name="samples">Length.</param>
    /// <param name="rate">Samples per second.</param>
    public static float[] Render(Voice voice, ulong seed, int item, int samples, int rate)
    {
        var random = new CounterRandom(seed, RandomPurpose.Synthesis, epoch: 2, item: item);
        var phones = Phone.Sequence(ref random, 1000f * samples / rate, voice.Rate * MathF.Exp(0.08f * random.NextNormal()));
        var prosody = new Prosody(voice, (float)samples / rate, ref random);
        var wave = new float[samples];
        new VoiceRenderer(voice, seed, item, rate).Run(wave, phones, prosody);
        return wave;
    }

    private void Run(Span<float> wave, List<Phone> phones, in Prosody prosody)
    {
        int frame = (int)(FrameSeconds * _rate);
        int current = -1;
        float end = 0;
        var phone = phones[0];
        for (int i = 0; i < Voice.FormantCount; i++)
        {
            _frequency[i] = _voice.Formant(phone, i);
        }

        for (int at = 0; at < wave.Length; at += frame)
        {
            while (at >= end && current + 1 < phones.Count)
            {
                phone = phones[++current];
                end += phone.Milliseconds * _rate / 1000f;
            }

            float seconds = at / _rate;
            Glide(phone);
            Speak(wave.Slice(at, Math.Min(frame, wave.Length - at)), prosody.Pitch(seconds), prosody.Effort(seconds), prosody.TiltHz);
        }
    }

    private void Glide(in Phone phone)
    {
        float slow = 1f - MathF.Exp(-FrameSeconds / FormantGlideSeconds), fast = 1f - MathF.Exp(-FrameSeconds / AmplitudeGlideSeconds);
        for (int i = 0; i < _formants; i++)
        {
            _frequency[i] += slow * (_voice.Formant(phone, i) - _frequency[i]);
            _tract[i].SetFormant(Math.Min(_frequency[i], 0.48f * _rate), Bandwidths[i] * _voice.Bandwidth, _rate);
        }

        _constriction.SetBandPass(phone.Center * _voice.Sibilance, phone.Width, _rate);
        _voicing += fast * (phone.Voicing - _voicing);
        _aspiration += fast * (phone.Aspiration - _aspiration);
        _frication += fast * ((phone.Frication * _voice.FricationGain) - _frication);
    }

    private void Speak(Span<float> wave, float pitch, float effort, float tiltHz)
    {
        float smoothing = 1f - MathF.Exp(-2f * MathF.PI * tiltHz / _rate);
        for (int i = 0; i < wave.Length; i++)
        {
            if (_phase >= _period)
            {
                _phase -= _period;
                _period = _rate / pitch * (1f + (_voice.Jitter * Uniform()));
                _pulse = 1f + (_voice.Shimmer * Uniform());
            }

            // Derivative of the glottal flow u = x² − x³ while the glottis is open; it closes abruptly, which excites the formants.
            float x = _phase / (_period * _voice.OpenQuotient);
            bool open = x < 1f;
            float flow = open ? _pulse * ((2f * x) - (3f * x * x)) : 0f;
            _phase += 1f;

            float noise = Uniform();
            float breath = (_voice.Breath * _voicing * (open ? 1f : 0.3f)) + (0.35f * _aspiration);
            _tilt += smoothing * ((_voicing * flow) - _tilt);
            float y = _tilt + (breath * noise);
            for (int f = 0; f < _formants; f++)
            {
                y = _tract[f].Next(y);
            }

            wave[i] = effort * (y + (0.9f * _frication * _constriction.Next(noise)));
        }
    }

    /// <summary>A number of (−1, 1).</summary>
    private float Uniform() => ((int)_random.NextWord() + 0.5f) * (1f / 2147483648f);

    /// <summary>Intonation and loudness of one utterance.</summary>
    private readonly struct Prosody
    {
        private const int Accents = 5;
        private readonly float _pitch, _fall, _seconds;
        private readonly float[] _center = new float[Accents], _height = new float[Accents], _width = new float[Accents];

        public Prosody(Voice voice, float seconds, ref CounterRandom random)
        {
            float register = 0.05f * random.NextNormal();
            _pitch = voice.Pitch * MathF.Exp(register);
            _fall = random.NextFloat(-0.02f, 0.12f);
            _seconds = seconds;
            for (int i = 0; i < Accents; i++)
            {
                _center[i] = random.NextFloat(0, seconds);
                _height[i] = voice.PitchRange * random.NextNormal();
                _width[i] = random.NextFloat(0.08f, 0.25f);
            }

            // A louder voice is higher and brighter.
            TiltHz = voice.TiltHz * MathF.Exp((2f * register) + (0.15f * random.NextNormal()));
        }

        public float TiltHz { get; }

        public float Pitch(float seconds) => _pitch * MathF.Exp(Bumps(seconds) - (_fall * seconds / _seconds));

        public float Effort(float seconds) => MathF.Exp(1.5f * Bumps(seconds));

        private float Bumps(float seconds)
        {
            float sum = 0;
            for (int i = 0; i < Accents; i++)
            {
                float distance = (seconds - _center[i]) / _width[i];
                sum += _height[i] * MathF.Exp(-0.5f * distance * distance);
            }

            return Math.Clamp(sum, -0.4f, 0.4f);
        }
    }
}
