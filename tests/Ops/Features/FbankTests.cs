using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Ops.Features;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Features;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public sealed class FbankTests(TestDevice on)
{
    private Device _device = null!;

    private static IEnumerable<TestCaseData> KaldiCases() => Golden.Cases("kaldi_fbank");

    private static IEnumerable<TestCaseData> TorchaudioCases() => Golden.Cases("melspectrogram_log");

    [SetUp]
    public void SetUp() => _device = on.Open(2);

    [TearDown]
    public void TearDown() => _device.Dispose();

    [Category("Golden")]
    [TestCaseSource(nameof(KaldiCases))]
    public void Kaldi_flavour_matches_torchaudio(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        Assert.That(g.Number("dither"), Is.Zero);
        Assert.That(g.Flag("use_energy"), Is.False);
        var spec = FeatureSpec.KaldiFbank80 with
        {
            Scale = (float)g.Number("scale"),
            Window = g.Text("window") switch
            {
                "povey" => WindowKind.Povey,
                "hamming" => WindowKind.Hamming,
                "hanning" => WindowKind.Hann,
                "rectangular" => WindowKind.Rectangular,
                var other => throw new NotSupportedException(other),
            },
            Bins = g.Integer("num_mel_bins"),
            SnipEdges = g.Flag("snip_edges"),
            LowHz = (float)g.Number("low_freq"),
            HighHz = (float)g.Number("high_freq"),
            Preemphasis = (float)g.Number("preemphasis"),
            RemoveMean = g.Flag("remove_dc_offset"),
            UsePower = g.Flag("use_power"),
            UseLog = g.Flag("use_log"),
            FrameLengthMs = (float)g.Number("frame_length_ms"),
            FrameShiftMs = (float)g.Number("frame_shift_ms"),
        };
        var features = Compute(spec, g.Input("signal").Values);

        Assert.That(new[] { features.Shape[1], features.Shape[2] }, Is.EqualTo(g.Output("fbank").Shape));
        g.AssertOutput("fbank", Samples.Read(features));
        g.AssertOutput("fbank_ref64", Samples.Read(features));
    }

    [Category("Golden")]
    [TestCaseSource(nameof(TorchaudioCases))]
    public void Torchaudio_flavour_matches_torchaudio(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        Assert.That((g.Text("pad_mode"), g.Text("mel_scale"), g.Number("power"), g.Flag("center")), Is.EqualTo(("reflect", "htk", 2.0, true)));
        double rate = g.Number("sample_rate");
        var spec = FeatureSpec.TorchaudioMel40 with
        {
            SampleRate = g.Integer("sample_rate"),
            Window = g.Text("window") == "hann" ? WindowKind.Hann : WindowKind.Hamming,
            Bins = g.Integer("n_mels"),
            LowHz = (float)g.Number("f_min"),
            HighHz = (float)g.Number("f_max"),
            LogFloor = (float)g.Number("log_offset"),
            FrameLengthMs = (float)(1000 * g.Number("win_length") / rate),
            FrameShiftMs = (float)(1000 * g.Number("hop_length") / rate),
        };
        Assert.That(spec.FftLength, Is.EqualTo(g.Integer("n_fft")));
        var features = Compute(spec, g.Input("signal").Values);

        g.AssertOutput("logmel", FramesLast(features));
        g.AssertOutput("logmel_ref64", FramesLast(features));
        FeatureNorm.InPlace(features, FeatureNormalization.Instance, (float)g.Number("instance_norm_eps"));
        g.AssertOutput("logmel_instancenorm_ref64", FramesLast(features));
    }

    // Frame counts around a group of 8 or 16 frames and around a parallel item of 64; several rows; odd sizes of everything.
    [TestCase(1, 400)]
    [TestCase(1, 559)]
    [TestCase(3, 400 + (14 * 160))]
    [TestCase(2, 400 + (15 * 160))]
    [TestCase(2, 400 + (16 * 160) + 7)]
    [TestCase(3, 400 + (64 * 160))]
    public void Batches_match_the_f64_reference(int rows, int samples)
    {
        var wave = Samples.Normal(5, rows * samples, 0.1f);
        foreach (string name in FeatureSpec.PresetNames)
        {
            foreach (int bins in new[] { 1, 15, 33, 80 })
            {
                var spec = FeatureSpec.Preset(name) with { Bins = bins };
                var got = Fbank.Forward(_device, new FeatureTables(spec), Samples.Constant(_device, new Shape(rows, samples), wave));
                var want = new List<double>();
                for (int row = 0; row < rows; row++)
                {
                    want.AddRange(FbankReference.Compute(spec, wave.AsSpan(row * samples, samples)));
                }

                Close.Assert(Samples.Read(got), want.ToArray(), 1e-3, $"{name}, {bins} bins");
                _device.Workspace.Reset();
            }
        }
    }

    [TestCase(8000, 20f, 10f)]
    [TestCase(44100, 25f, 10f)]
    [TestCase(22050, 23.3f, 7.1f)]
    [TestCase(1000, 5f, 2f)]
    public void Other_rates_match_the_f64_reference(int rate, float length, float shift)
    {
        foreach (var preset in new[] { FeatureSpec.TorchaudioMel40, FeatureSpec.KaldiFbank80, FeatureSpec.KaldiFbank80 with { SnipEdges = false } })
        {
            var spec = preset with { SampleRate = rate, FrameLengthMs = length, FrameShiftMs = shift, Bins = 23, Window = WindowKind.Rectangular };
            var wave = Samples.Normal(6, spec.MinimumSamples + (20 * spec.FrameShift) + 3, 0.1f);
            Close.Assert(Samples.Read(Compute(spec, wave)), FbankReference.Compute(spec, wave), 1e-3, $"{preset.Flavor} at {rate} Hz");
        }
    }

    [Test]
    public void Shortest_waveforms_give_a_frame_and_shorter_ones_a_clear_error()
    {
        foreach (var spec in new[] { FeatureSpec.TorchaudioMel40, FeatureSpec.KaldiFbank80, FeatureSpec.KaldiFbank80 with { SnipEdges = false } })
        {
            var wave = Samples.Normal(7, spec.MinimumSamples, 0.1f);
            Close.Assert(Samples.Read(Compute(spec, wave)), FbankReference.Compute(spec, wave), 1e-3, "shortest");
            Assert.That(
                () => Compute(spec, wave[1..]), Throws.InstanceOf<ShapeException>().With.Message.Contains($"{spec.MinimumSamples} samples"));
            Assert.That(spec.FrameCount(spec.MinimumSamples - 1), Is.Zero);
        }
    }

    [TestCase("torchaudio-mel40", 32000, 201)]
    [TestCase("torchaudio-mel40", 48000, 301)]
    [TestCase("torchaudio-mel40", 64000, 401)]
    [TestCase("kaldi-fbank80", 32000, 198)]
    [TestCase("kaldi-fbank80", 48000, 298)]
    [TestCase("kaldi-fbank80", 559, 1)]
    [TestCase("kaldi-fbank80", 560, 2)]
    public void Number_of_frames_follows_the_formula(string preset, int samples, int frames)
    {
        var spec = FeatureSpec.Preset(preset);
        Assert.That(spec.FrameCount(samples), Is.EqualTo(frames));
        Assert.That(Compute(spec, new float[samples]).Shape, Is.EqualTo(new Shape(1, frames, spec.Bins)));
    }

    [TestCase("torchaudio-mel40", 1e-6)]
    [TestCase("kaldi-fbank80", 1.1920929e-7)]
    public void Silence_is_the_log_floor(string preset, double floor)
    {
        var features = Samples.Read(Compute(FeatureSpec.Preset(preset), new float[16000]));
        Assert.That(features, Is.All.EqualTo((float)Math.Log(floor)).Within(1).Ulps);
    }

    [TestCaseSource(typeof(FeatureSpec), nameof(FeatureSpec.PresetNames))]
    public void A_tone_peaks_in_the_bin_whose_centre_is_nearest(string preset)
    {
        var spec = FeatureSpec.Preset(preset);
        var wave = Tone(1000, 16000);
        var features = Samples.Read(Compute(spec, wave));
        int frame = 40;
        var row = features.AsSpan(frame * spec.Bins, spec.Bins);
        int peak = row.IndexOf(row.ToArray().Max());

        double low = Mel(spec.LowHz), high = Mel(spec.UpperHz);
        double want = ((Mel(1000) - low) / (high - low) * (spec.Bins + 1)) - 1;
        Assert.That(peak, Is.EqualTo((int)Math.Round(want)));

        static double Mel(double hz) => Math.Log(1 + (hz / 700));
    }

    [Test]
    public void Loudness_vanishes_with_the_mean()
    {
        var spec = FeatureSpec.KaldiFbank80;
        var wave = Samples.Normal(8, 16000, 0.1f);
        var extractor = new FeatureExtractor(_device, spec);
        var quiet = Samples.Read(extractor.Compute(Samples.Constant(_device, new Shape(1, 16000), wave)));
        var loud = Samples.Read(extractor.Compute(Samples.Constant(_device, new Shape(1, 16000), wave.Select(x => 3.7f * x).ToArray())));
        // Rounding of the loudest frequency reaches the quietest bins: 1e-3 as in the comparisons with f64.
        Close.Assert(loud, quiet, 1e-3, "scaled waveform");
    }

    [Test]
    public void Results_do_not_depend_on_threads_or_on_the_rest_of_the_batch()
    {
        var spec = FeatureSpec.KaldiFbank80 with { Dither = 1 };
        var wave = Samples.Normal(9, 5 * 7000, 0.1f);
        var tables = new FeatureTables(spec);
        using var one = on.Open(1);
        using var three = on.Open(3);
        var want = Samples.Read(Fbank.Forward(one, tables, Samples.Constant(one, new Shape(5, 7000), wave), 11, 2));
        var got = Samples.Read(Fbank.Forward(three, tables, Samples.Constant(three, new Shape(5, 7000), wave), 11, 2));
        Assert.That(got, Is.EqualTo(want));

        // Without dither a row is the same alone as in the batch, though it then falls into other vector lanes.
        var batch = Samples.Read(Fbank.Forward(one, tables, Samples.Constant(one, new Shape(5, 7000), wave)));
        var alone = Samples.Read(Fbank.Forward(one, tables, Samples.Constant(one, new Shape(1, 7000), wave.AsSpan(3 * 7000, 7000))));
        Assert.That(alone, Is.EqualTo(batch[(3 * alone.Length)..(4 * alone.Length)]));
    }

    [Test]
    public void Dither_follows_seed_epoch_and_row_and_has_its_deviation()
    {
        var spec = FeatureSpec.KaldiFbank80 with { Dither = 1, Normalization = FeatureNormalization.None, UseLog = false, Preemphasis = 0 };
        var tables = new FeatureTables(spec);
        const int Samples16k = 16000;
        float[] Run(ulong? seed, long epoch)
        {
            _device.Workspace.Reset();
            return Samples.Read(Fbank.Forward(_device, tables, Samples.Constant(_device, new Shape(2, Samples16k), new float[2 * Samples16k]), seed, epoch));
        }

        var first = Run(1, 0);
        int half = first.Length / 2;
        Assert.That(Run(1, 0), Is.EqualTo(first));
        Assert.That(Run(2, 0), Is.Not.EqualTo(first));
        Assert.That(Run(1, 1), Is.Not.EqualTo(first));
        Assert.That(first.AsSpan(0, half).SequenceEqual(first.AsSpan(half)), Is.False);
        Assert.That(Run(null, 0), Is.All.EqualTo(0f));

        // White noise of deviation 1 through a window w: every power bin has mean Σ w².
        double energy = AnalysisWindow.Create(spec.Window, spec.FrameLength, periodic: false).Sum(w => w * w);
        var bank = MelBank.Create(spec);
        int frames = first.Length / spec.Bins;
        double ratio = 0;
        for (int bin = 0; bin < spec.Bins; bin++)
        {
            double mean = Enumerable.Range(0, frames).Average(t => first[(t * spec.Bins) + bin]);
            ratio += mean / (energy * bank.Weights[bin].Sum()) / spec.Bins;
        }

        Assert.That(ratio, Is.EqualTo(1).Within(0.03));
    }

    [Test]
    public void Dither_is_the_documented_philox_sequence()
    {
        // One frame, rectangular window and no bank would hide nothing: compare with the same sum in f64.
        var spec = FeatureSpec.KaldiFbank80 with { Dither = 3, Window = WindowKind.Rectangular, UseLog = false, Bins = 5 };
        int samples = 400 + (18 * 160);
        var got = Samples.Read(Fbank.Forward(
            _device, new FeatureTables(spec), Samples.Constant(_device, new Shape(2, samples), new float[2 * samples]), 77, 5));
        var want = new List<double>();
        for (uint row = 0; row < 2; row++)
        {
            for (uint t = 0; t < 19; t++)
            {
                want.AddRange(FbankReference.Frame(spec, FbankReference.Dither(spec, 77, 5, row, t)));
            }
        }

        Close.Assert(got, want.ToArray(), 1e-4 * want.Max(), "dithered silence");
    }

    [Test]
    public void A_warm_step_allocates_nothing()
    {
        using var device = on.Open(1);
        var extractor = new FeatureExtractor(device, FeatureSpec.KaldiFbank80 with { Dither = 1 });
        var wave = Samples.Normal(10, 560, 0.1f);
        void Step()
        {
            device.Workspace.Reset();
            var waves = device.Workspace.Rent(new Shape(1, 560));
            waves.CopyFrom(wave);
            extractor.Compute(waves, 1, 1);
        }

        Allocations.AssertNone(Step);
    }

    private Tensor Compute(FeatureSpec spec, ReadOnlySpan<double> wave)
    {
        var single = new float[wave.Length];
        for (int i = 0; i < wave.Length; i++)
        {
            single[i] = (float)wave[i];
        }

        return Compute(spec, single);
    }

    private Tensor Compute(FeatureSpec spec, float[] wave) =>
        Fbank.Forward(_device, new FeatureTables(spec), Samples.Constant(_device, new Shape(1, wave.Length), wave));

    private static float[] Tone(double hz, int samples) =>
        [.. Enumerable.Range(0, samples).Select(t => (float)(0.5 * Math.Sin(2 * Math.PI * hz * t / 16000)))];

    private static float[] FramesLast(Tensor features)
    {
        var values = Samples.Read(features);
        int frames = features.Shape[1], bins = features.Shape[2];
        var turned = new float[values.Length];
        for (int t = 0; t < frames; t++)
        {
            for (int f = 0; f < bins; f++)
            {
                turned[(f * frames) + t] = values[(t * bins) + f];
            }
        }

        return turned;
    }
}
