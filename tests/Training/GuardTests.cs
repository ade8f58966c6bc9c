using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training;

namespace Spk.Tests.TrainingRuns;

public class GuardTests
{
    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    [TestCase(float.NegativeInfinity)]
    public void The_first_non_finite_element_is_found(float bad)
    {
        var values = new float[100];
        Assert.That(FiniteGuard.IndexOfNonFinite(values), Is.EqualTo(-1));
        values[63] = bad;
        Assert.That(FiniteGuard.IndexOfNonFinite(values), Is.EqualTo(63));
    }

    [Test]
    public void Finite_numbers_whose_sum_overflows_are_finite() =>
        Assert.That(FiniteGuard.IndexOfNonFinite([float.MaxValue, float.MaxValue]), Is.EqualTo(-1));

    [Test]
    public void A_bad_gradient_names_its_parameter()
    {
        using var device = new CpuDevice(1);
        var parameters = Parameters(device);
        parameters.Trainable[1].Value.Grad!.AsSpan()[2] = float.NaN;
        Assert.That(() => FiniteGuard.CheckGradients(1, 7, parameters), Throws.Nothing);
        var error = Assert.Throws<NonFiniteException>(() => FiniteGuard.CheckGradients(float.NaN, 7, parameters));
        Assert.That(error!.Message, Does.StartWith("Step 7: gradient of second is NaN at element 2 of 4;"));
    }

    [Test]
    public void A_bad_loss_names_the_first_bad_tensor_on_its_way()
    {
        using var device = new CpuDevice(1);
        var parameters = Parameters(device);
        var features = device.AllocatePersistent(new Shape(2, 2));
        features.AsSpan()[3] = float.PositiveInfinity;
        var error = Assert.Throws<NonFiniteException>(() => FiniteGuard.CheckLoss(float.NaN, 3, parameters, ("features", features)));
        Assert.That(error!.Message, Does.StartWith("Step 3: tensor features is Infinity at element 3 of 4;"));

        parameters.Trainable[0].Value.AsSpan()[0] = float.NaN;
        error = Assert.Throws<NonFiniteException>(() => FiniteGuard.CheckLoss(float.NaN, 3, parameters, ("features", features)));
        Assert.That(error!.Message, Does.StartWith("Step 3: parameter first is NaN at element 0 of 3;"));
    }

    [Test]
    public void Uniform_directions_have_full_spread_and_rank()
    {
        const int Rows = 2000, Size = 16;
        var random = new CounterRandom(1, RandomPurpose.Plot);
        var values = new float[Rows * Size];
        foreach (ref float value in values.AsSpan())
        {
            value = random.NextNormal();
        }

        var spread = new CollapseGuard(Rows, Size).Measure(values);
        Assert.That(spread.Spread, Is.EqualTo(1).Within(0.02));
        Assert.That(spread.EffectiveRank, Is.EqualTo(Size).Within(0.5));
        Assert.That(CollapseGuard.Judge(spread, 0), Is.EqualTo(Collapse.None));
        Assert.That(CollapseGuard.Judge(spread, 0.96f), Is.EqualTo(Collapse.NegativesNear));
        Assert.That(CollapseGuard.Describe(Collapse.NegativesNear, spread, 0.96f), Does.Contain("mean cosine of 0.960"));
    }

    [Test]
    public void The_rank_is_the_same_by_rows_and_by_columns()
    {
        // 8 × 3 takes the covariance, 3 of the same rows the Gram matrix; both must count two equal directions as rank 2.
        float[] square = [1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0];
        var tall = new CollapseGuard(4, 3).Measure(square);
        Assert.That(tall.EffectiveRank, Is.EqualTo(2).Within(1e-5));
        float[] wide = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 0, 0, 0];
        Assert.That(new CollapseGuard(4, 5).Measure(wide).EffectiveRank, Is.EqualTo(2).Within(1e-5));
    }

    [Test]
    public void A_constant_encoder_and_a_line_are_reported()
    {
        var same = new float[32 * 8];
        Array.Fill(same, 0.5f);
        Assert.That(CollapseGuard.Judge(new CollapseGuard(32, 8).Measure(same), 1), Is.EqualTo(Collapse.ToPoint));

        var line = new float[32 * 8];
        for (int i = 0; i < 32; i++)
        {
            line[i * 8] = i % 2 == 0 ? 1 : -1;
        }

        Assert.That(CollapseGuard.Judge(new CollapseGuard(32, 8).Measure(line), 0), Is.EqualTo(Collapse.ToLine));
    }

    [Test]
    public void Non_finite_embeddings_are_a_collapse() =>
        Assert.That(CollapseGuard.Judge(new EmbeddingSpread(float.NaN, float.NaN), 0), Is.EqualTo(Collapse.ToPoint));

    [Test]
    public void Patience_counts_evaluations_without_improvement()
    {
        var state = EarlyStop.Start.Next(0.3, 10).Next(0.2, 20).Next(0.2, 30).Next(0.25, 40);
        Assert.That(state, Is.EqualTo(new EarlyStop(0.2, 20, 2)));
        Assert.That(state.IsOver(2), Is.True);
        Assert.That(state.IsOver(3), Is.False);
        Assert.That(state.IsOver(0), Is.False);
        Assert.That(state.Next(0.1, 50).Stale, Is.Zero);
    }

    private static ParameterSet Parameters(CpuDevice device)
    {
        var parameters = new ParameterSet(device);
        parameters.Add("first", new Shape(3), Initializer.Constant(1));
        parameters.Add("second", new Shape(2, 2), Initializer.Constant(1));
        parameters.Allocate(1);
        return parameters;
    }
}
