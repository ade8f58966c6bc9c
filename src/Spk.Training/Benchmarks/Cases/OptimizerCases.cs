using Spk.Engine.Devices;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Passes over all parameters.</summary>
internal static class OptimizerCases
{
    private const int Count = 20_000_000;

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("adam", "a step of Adam, alone and with a momentum encoder", AdamStep) { HasProducts = false },
        new("ema", "a moving average of parameters, by itself", d =>
        {
            var (mean, values) = (d.AllocatePersistent(new Shape(Count)), Inputs.Random(d, new Shape(Count), 1));
            return [Case("ema", 12, () => Ema.Step(mean, values, 0.99))];
        }) { HasProducts = false },
        new("gradient_norm", "the norm of all gradients", d =>
        {
            var gradients = Inputs.Random(d, new Shape(Count), 1);
            return [Case("gradient_norm", 4, () => GradientNorm.Compute(gradients))];
        }) { HasProducts = false },
    ];

    private static IReadOnlyList<BenchmarkCase> AdamStep(Device device)
    {
        var shape = new Shape(Count);
        Tensor values = device.AllocatePersistent(shape), mean = device.AllocatePersistent(shape), meanSquare = device.AllocatePersistent(shape);
        var gradients = Inputs.Random(device, shape, 1);
        long step = 0;
        var average = device.AllocatePersistent(shape);
        var settings = new AdamSettings { LearningRate = 1e-4 };
        return
        [
            Case("adam", 28, () => Adam.Step(values, gradients, mean, meanSquare, ++step, settings)),
            Case("adam_ema", 36, () => Adam.Step(values, gradients, mean, meanSquare, ++step, settings, average: new MovingAverage(average, 0.99))),
        ];
    }

    private static BenchmarkCase Case(string name, double bytesOfEach, Action step) =>
        new(name, [new("parameters", Count)], "parameters/s", Count, step) { Bytes = bytesOfEach * Count };
}
