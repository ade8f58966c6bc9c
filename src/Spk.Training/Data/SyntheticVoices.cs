using System.Globalization;
using Spk.Engine.Audio;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Training.Data.Synthesis;

namespace Spk.Training.Data;

/// <summary>
/// Makes a corpus of synthetic voices, laid out as a corpus of recordings would be: <c>train.csv</c>, <c>eval.csv</c>,
/// <c>trials.txt</c>, <c>train/SPEAKER/*.wav</c>, <c>eval/SPEAKER/*.wav</c>, <c>noise/*.wav</c>, <c>rir/*.wav</c>, and where asked for <c>sessions.csv</c>.
/// </summary>
/// <remarks>
/// A speaker is a larynx and a vocal tract (pitch, open quotient, spectral tilt, jitter, shimmer, breath, formants, bandwidths,
/// habits); a session is a microphone, a room and a background noise, mild ones unless <see cref="SyntheticVoicesSpec.ChannelStrength"/> asks
/// for strong ones; an utterance is a random sequence of phones with its own
/// intonation. It is for demonstrations and tests: error rates on it say nothing about human speech.
/// </remarks>
public static class SyntheticVoices
{
    private const int NoiseSeconds = 6;

    /// <summary>Generates a corpus. Existing files of the same names are replaced, others are left.</summary>
    /// <param name="folder">Where to; made if it does not exist.</param>
    /// <param name="spec">Sizes and seed; null for the defaults.</param>
    /// <param name="progress">Told about every 64 files.</param>
    /// <param name="cancellation">Ends the work early and leaves what is written so far.</param>
    /// <exception cref="InvalidOptionException">A value of the spec is outside its range.</exception>
    /// <exception cref="SpkException">The folder cannot be written.</exception>
    public static void Generate(
        string folder, SyntheticVoicesSpec? spec = null, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        spec ??= new SyntheticVoicesSpec();
        spec.Validate();
        try
        {
            var training = Plan(folder, spec, "train", 0, spec.Speakers, (speaker, session) => (speaker * spec.SessionsPerSpeaker) + session);
            var evaluation = Plan(folder, spec, "eval", spec.Speakers, spec.EvaluationSpeakers, spec.ChannelStrength is null
                ? (speaker, session) => (speaker * spec.SessionsPerSpeaker) + session
                : SharedChannels(spec));
            var dialogues = spec.SecondSpeakers is null ? null : SyntheticDialogues.Make(training, spec, folder);
            Recording[] all = [.. training, .. evaluation];
            int total = all.Length + spec.Noises + spec.Rooms, done = 0;
            void Step() => Corpus.Report(progress, Interlocked.Increment(ref done), total);

            var parallel = new ParallelOptions { CancellationToken = cancellation };
            Parallel.For(0, all.Length, parallel, i =>
            {
                WavFile.Write(all[i].Utterance.Path, Speak(all[i], spec), spec.SampleRate);
                Step();
            });
            Directory.CreateDirectory(Path.Combine(folder, "noise"));
            Directory.CreateDirectory(Path.Combine(folder, "rir"));
            Parallel.For(0, spec.Noises, parallel, i =>
            {
                WriteNoise(folder, spec, i);
                Step();
            });
            Parallel.For(0, spec.Rooms, parallel, i =>
            {
                WriteRoom(folder, spec, i);
                Step();
            });

            new Manifest(training.Select(r => r.Utterance)).WriteCsv(Path.Combine(folder, "train.csv"));
            dialogues?.WriteCsv(dialogues.Source);
            new Manifest(evaluation.Select(r => r.Utterance)).WriteCsv(Path.Combine(folder, "eval.csv"));
            Utterance[] evaluated = [.. evaluation.Select(r => r.Utterance)];
            var trials = spec.ChannelStrength is null
                ? TrialMaker.Make(evaluated, spec.Seed, spec.MaximumTargets, "eval.csv")
                : TrialMaker.MakeAcrossSessions(evaluated, spec.Seed, spec.MaximumTargets, "eval.csv");
            trials.Write(Path.Combine(folder, "trials.txt"));
        }
        catch (Exception e) when (Unwrap(e) is IOException or UnauthorizedAccessException)
        {
            throw new SpkException($"The synthetic corpus cannot be written to {folder}: {Unwrap(e).Message}", e);
        }
    }

    private static Exception Unwrap(Exception e) => e is AggregateException { InnerException: { } inner } ? inner : e;

    /// <summary>
    /// Channels of evaluation speakers: one for each session of about four speakers. Every session draws from channels of its own, so that a
    /// speaker never has one twice, and a random order decides who shares it.
    /// </summary>
    private static Func<int, int, int> SharedChannels(SyntheticVoicesSpec spec)
    {
        const int Sharing = 4;
        int channels = Math.Max(1, spec.EvaluationSpeakers / Sharing), first = (spec.Speakers + spec.EvaluationSpeakers) * spec.SessionsPerSpeaker;
        var orders = new int[spec.SessionsPerSpeaker][];
        for (int session = 0; session < orders.Length; session++)
        {
            orders[session] = [.. Enumerable.Range(0, spec.EvaluationSpeakers)];
            new CounterRandom(spec.Seed, RandomPurpose.Synthesis, epoch: 11, item: session).Shuffle(orders[session]);
        }

        return (speaker, session) => first + (session * channels) + (orders[session][speaker - spec.Speakers] % channels);
    }

    private static Recording[] Plan(string folder, SyntheticVoicesSpec spec, string part, int firstSpeaker, int speakers, Func<int, int, int> channelOf)
    {
        var plan = new List<Recording>();
        for (int s = 0; s < speakers; s++)
        {
            int speaker = firstSpeaker + s;
            string name = string.Create(CultureInfo.InvariantCulture, $"sv{speaker + 1:D4}");
            Directory.CreateDirectory(Path.Combine(folder, part, name));
            for (int u = 0; u < spec.UtterancesPerSpeaker; u++)
            {
                int session = u % spec.SessionsPerSpeaker, item = (speaker * spec.UtterancesPerSpeaker) + u;
                string id = string.Create(CultureInfo.InvariantCulture, $"{part}/{name}/s{session + 1:D2}-u{u + 1:D3}.wav");
                var random = new CounterRandom(spec.Seed, RandomPurpose.Synthesis, epoch: 6, item: item);
                int samples = (int)(random.NextFloat(spec.MinimumSeconds, spec.MaximumSeconds) * spec.SampleRate);
                var utterance = new Utterance(
                    id, Path.Combine(folder, part, name, Path.GetFileName(id)), name,
                    SessionName(session, channelOf(speaker, session), spec), (double)samples / spec.SampleRate);
                plan.Add(new Recording(utterance, speaker, channelOf(speaker, session), item, samples));
            }
        }

        return [.. plan];
    }

    // A channel has one name wherever it is used; mild sessions are counted speaker by speaker.
    private static string SessionName(int session, int channel, SyntheticVoicesSpec spec) => spec.ChannelStrength is null
        ? string.Create(CultureInfo.InvariantCulture, $"s{session + 1:D2}")
        : string.Create(CultureInfo.InvariantCulture, $"ch{channel + 1:D4}");

    private static float[] Speak(Recording recording, SyntheticVoicesSpec spec)
    {
        var voice = new Voice(spec.Seed, recording.Speaker);
        var speech = VoiceRenderer.Render(voice, spec.Seed, recording.Item, recording.Samples, spec.SampleRate);
        float[] wave = new RecordingSession(spec.Seed, recording.Session, spec.SampleRate).Record(speech, spec.Seed, recording.Item);
        if (spec.ChannelStrength is { } strength and > 0)
        {
            new SessionChannel(spec.Seed, recording.Session, spec.SampleRate, strength).Apply(wave, spec.Seed, recording.Item);
        }

        return wave;
    }

    private static void WriteNoise(string folder, SyntheticVoicesSpec spec, int index)
    {
        var random = new CounterRandom(spec.Seed, RandomPurpose.Synthesis, epoch: 7, item: index);
        int samples = NoiseSeconds * spec.SampleRate;
        var (name, noise) = (index % 5) switch
        {
            0 => ("white", Noises.Colored(samples, 0, spec.SampleRate, ref random)),
            1 => ("pink", Noises.Colored(samples, 1, spec.SampleRate, ref random)),
            2 => ("brown", Noises.Colored(samples, 1.8f, spec.SampleRate, ref random)),
            3 => ("hum", Noises.Hum(samples, spec.SampleRate, ref random)),
            _ => ("babble", Babble(spec, samples, index, ref random)),
        };
        WavFile.Write(Path.Combine(folder, "noise", string.Create(CultureInfo.InvariantCulture, $"{name}{index:D2}.wav")), noise, spec.SampleRate);
    }

    private static float[] Babble(SyntheticVoicesSpec spec, int samples, int index, ref CounterRandom random)
    {
        var sum = new float[samples];
        int talkers = 4 + random.NextInt(6);
        for (int k = 0; k < talkers; k++)
        {
            // Negative items are utterances that the corpus itself does not hold.
            var talker = new Voice(spec.Seed, random.NextInt(spec.Speakers));
            var speech = VoiceRenderer.Render(talker, spec.Seed, -1 - (16 * index) - k, samples, spec.SampleRate);
            Noises.Normalize(speech, 0.05f);
            for (int i = 0; i < samples; i++)
            {
                sum[i] += speech[i];
            }
        }

        Noises.Normalize(sum, 0.05f);
        return sum;
    }

    private static void WriteRoom(string folder, SyntheticVoicesSpec spec, int index)
    {
        var random = new CounterRandom(spec.Seed, RandomPurpose.Synthesis, epoch: 8, item: index);
        var response = Noises.Room(random.NextFloat(0.15f, 0.8f), spec.SampleRate, ref random);
        for (int i = 0; i < response.Length; i++)
        {
            response[i] *= 0.9f;
        }

        WavFile.Write(Path.Combine(folder, "rir", string.Create(CultureInfo.InvariantCulture, $"room{index:D2}.wav")), response, spec.SampleRate);
    }
}
