using System.Numerics.Tensors;
using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Tests.Support;
using Spk.Training;

namespace Spk.Tests.TrainingRuns;

/// <summary>Training with <c>training.precision</c> tf32 and bf16, bf16 on Hopper's warpgroups too: it replays its recording, and rounds as much as it should.</summary>
public class PrecisionTrainingTests
{
    private const int Steps = 6;

    private static readonly string[] Sizes =
        ["training.batch=4", "data.cropSeconds=0.25", "features.bins=16", "encoder.width=8", "encoder.lastWidth=8", "schedule.learningRate=1e-4"];

    // A sharper softmax makes more of all errors.
    private static readonly string[] Smooth = ["objective.temperature=0.5", "optimizer.kind=sgd", "optimizer.momentum=0", "schedule.learningRate=2e-5"];

    // Losses of the bf16 runs below differ by up to 4.4e-3 of fp32's, weights move by up to a fifth otherwise: rounding also closes and opens ReLUs. Limits are twice that, for other orders of sums.
    private const double LossLimit = 1e-2, MovesLimit = 0.4;

    // bf16 rounds operands by up to 2^-8, a layer after another; measured: 1.0e-2.
    private const double EmbeddingLimit = 8.0 / 256;

    // f32 sums in another order, of the CPU, differ by some 1e-6; tf32 by 1e-3, losses by a tenth of that.
    private const double LeastAboveFp32 = 50;

    private static IEnumerable<TestCaseData> Arithmetics() =>
        from device in TestDevice.Cuda
        from arithmetic in device.Arithmetics
        where arithmetic.Precision != Precision.Fp32
        select new TestCaseData(device, arithmetic.Precision, arithmetic.OnWarpgroups);

    [TestCaseSource(nameof(Arithmetics))]
    public void Replaying_a_recorded_step_changes_no_bit(TestDevice on, Precision precision, bool onWarpgroups)
    {
        var recorded = Train(Open(on, onWarpgroups), precision);
        var device = Open(on, onWarpgroups);
        device.Recorder.IsEnabled = false;
        var eager = Train(device, precision);
        Assert.That(recorded.Replays, Is.GreaterThan(0));
        Assert.That(eager.Replays, Is.Zero);
        Assert.That(recorded.Losses, Is.EqualTo(eager.Losses));
        Assert.That(recorded.State, Is.EqualTo(eager.State), "weights and running statistics");
        Assert.That(recorded.Products, Is.Not.Empty.And.All.StartsWith(onWarpgroups ? "mat_mul_wgmma" : $"mat_mul_{precision}".ToLowerInvariant()));
        Assert.That(recorded.Products, Is.EqualTo(eager.Products));
    }

    // How much it rounds tells precisions apart: bf16 keeps three bits less than tf32, which makes its errors eight times as large but for chance.
    // The sizes are larger than above: with 8 units ahead of the pooling and 4 utterances the first gradient in bf16 had little in common with fp32's,
    // though embeddings differed by no more than a few hundredths. A unit that is almost constant is the likely cause, but was not looked for.
    [TestCase("encoder.lastWidth=32", "training.batch=8")]
    [TestCase("encoder.kind=ecapa", "encoder.scale=2", "encoder.bottleneck=4")]
    public void Operands_are_rounded_to_the_precision_of_the_recipe_and_losses_stay_near(params string[] options)
    {
        var on = TestDevice.Cuda.First();
        options = [.. Smooth, .. options];
        var exact = Train(on.Open(), Precision.Fp32, options);
        var cpu = Train(TestDevice.Cpu.Open(), Precision.Fp32, options);
        var tf32 = Train(on.Open(), Precision.Tf32, options);
        Assert.That(Difference(tf32.Embeddings, exact.Embeddings), Is.GreaterThan(LeastAboveFp32 * Difference(cpu.Embeddings, exact.Embeddings)), "embeddings in tf32");
        AssertNear(tf32, "tf32");
        AssertBf16(Train(on.Open(), Precision.Bf16, options), "bf16", "mat_mul_bf16");
        AssertBf16(Train(Open(on, onWarpgroups: true), Precision.Bf16, options), "bf16 on warpgroups", "mat_mul_wgmma_128");

        void AssertBf16(Run run, string what, string kernels)
        {
            Assert.That(run.Products, Has.Some.StartsWith(kernels));
            Assert.That(Difference(run.Embeddings, exact.Embeddings) / Difference(tf32.Embeddings, exact.Embeddings), Is.InRange(4, 16), $"embeddings in {what}, against tf32");
            Assert.That(Difference(run.Losses, exact.Losses), Is.GreaterThan(LeastAboveFp32 * Difference(cpu.Losses, exact.Losses)), $"losses in {what}");
            AssertNear(run, what);
        }

        void AssertNear(Run run, string what)
        {
            Assert.That(Difference(run.Embeddings, exact.Embeddings), Is.LessThan(EmbeddingLimit), $"embeddings of the first step in {what}");
            Assert.That(run.Losses.Zip(exact.Losses, (a, b) => Math.Abs(a - b) / b), Is.All.LessThan(LossLimit), $"losses in {what}");
            Assert.That(Difference(run.Moves, exact.Moves), Is.LessThan(MovesLimit), $"what the weights moved in {what}");
        }
    }

    private static double Difference(float[] got, float[] want) => TensorPrimitives.Distance<float>(got, want) / TensorPrimitives.Norm<float>(want);

    // The emulator has warpgroups; a GPU may not, or its binaries may be of an older compiler.
    private static CudaDevice Open(TestDevice on, bool onWarpgroups)
    {
        var device = (CudaDevice)on.Open(onWarpgroups: onWarpgroups);
        if (onWarpgroups && !EmulatorSettings.IsEmulator(device.Driver)
            && !(WarpgroupGemm.IsOn(device) && device.Has(new KernelId("encoder/mat_mul_wgmma", "mat_mul_wgmma_128_nn", WarpgroupGemm.SharedBytes(128)))))
        {
            device.Dispose();
            Assert.Ignore("skipped, optional: not a GPU of compute capability 9.0 with binaries by NVRTC 12");
        }

        return device;
    }

    private static Run Train(Device device, Precision precision, params string[] options)
    {
        var cuda = device as CudaDevice;
        var products = new SortedSet<string>(StringComparer.Ordinal);
        using (device)
        {
            string name = precision.ToString().ToLowerInvariant();
            using var pipeline = new TrainingPipeline(TinyCorpus.Recipe([.. Sizes, $"training.precision={name}", .. options]), device, null, CancellationToken.None);
            cuda?.Launching = kernel =>
            {
                if (kernel.Name.StartsWith("mat_mul", StringComparison.Ordinal) && kernel.Name != "mat_mul_add_splits")
                {
                    products.Add(kernel.Name);
                }
            };
            float[] losses = new float[Steps], embeddings = [], moves = Samples.Read(pipeline.Parameters.Values);
            for (int step = 0; step < Steps; step++)
            {
                losses[step] = pipeline.Step(step).Loss;
                embeddings = step == 0 ? Samples.Read(pipeline.Objective.Embeddings) : embeddings;
            }

            TensorPrimitives.Subtract(Samples.Read(pipeline.Parameters.Values), moves, moves);
            return new Run(losses, embeddings, moves, [.. pipeline.Parameters.All.SelectMany(p => Samples.Read(p.Value))], products, cuda?.Recorder.Replays ?? 0);
        }
    }

    /// <param name="Losses">Of every step.</param>
    /// <param name="Embeddings">Of the first step, ahead of any update.</param>
    /// <param name="Moves">Trained weights less those at the start.</param>
    /// <param name="State">All that the run changed: weights and running statistics.</param>
    /// <param name="Products">Kernels of matrix products.</param>
    /// <param name="Replays">Steps that a recording did.</param>
    private sealed record Run(float[] Losses, float[] Embeddings, float[] Moves, float[] State, SortedSet<string> Products, long Replays);
}
