using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Features;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Features;

/// <summary>The CPU's features with 8 and with 16 frames at a time, whichever the processor would take itself.</summary>
public sealed class FbankLanesTests
{
    // 1 to 33 frames a row: less than a vector, whole vectors, and groups that reach over the end of a row.
    [Test]
    public void Eight_and_sixteen_frames_at_a_time_agree(
        [Values("torchaudio-mel40", "kaldi-fbank80", "kaldi-fbank80 with dither")] string features, [Values(1, 8, 17, 33)] int frames, [Values(5, 40)] int bins)
    {
        const int Rows = 3;
        string[] words = features.Split(' ');
        bool dithers = words.Length > 1;
        var spec = FeatureSpec.Preset(words[0]) with { Bins = bins, Dither = dithers ? 1 : 0 };
        int samples = spec.MinimumSamples + ((frames - 1) * spec.FrameShift);
        var wave = Samples.Normal(1, Rows * samples, 0.1f);
        var tables = new FeatureTables(spec);
        using var device = new CpuDevice(1);
        var waves = Samples.Constant(device, new Shape(Rows, samples), wave);
        var shape = new Shape(Rows, spec.FrameCount(samples), bins);
        var eight = device.Workspace.Rent(shape);
        var sixteen = device.Workspace.Rent(shape);
        ulong? seed = dithers ? 7ul : null;

        Fbank.CpuForward<EightLanes, EightWords>(device, tables, waves, eight, seed, 3);
        Fbank.CpuForward<SixteenLanes, SixteenWords>(device, tables, waves, sixteen, seed, 3);

        double[] want = Array.ConvertAll(Samples.Read(eight), x => (double)x);
        Close.Assert(Samples.Read(sixteen), want, 1e-5 * want.Max(Math.Abs), "16 lanes against 8");
        if (!dithers)
        {
            double[] reference = [.. Enumerable.Range(0, Rows).SelectMany(r => FbankReference.Compute(spec, wave.AsSpan(r * samples, samples)))];
            Close.Assert(want, reference, 1e-3, "8 lanes against f64");
        }
    }
}
