using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Losses with their gradients.</summary>
internal static class LossCases
{
    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        .. new[] { 256, 1024, 4096 }.Select(batch => new BenchmarkGroup(
            "ntxent_am_fwd_bwd", "symmetric NT-Xent-AM of B pairs, with gradient", d => [Contrastive(d, batch)]) { HasProducts = false }),
        new("margin_classifier", "AAM softmax over many classes, with gradients", d => [d is CpuDevice ? Classifier(d, 64, 1000) : Classifier(d, 512, 100_000)]) { HasProducts = false },
    ];

    public static BenchmarkCase Contrastive(Device device, int batch)
    {
        const int width = 512;
        const float margin = 0.1f, temperature = 0.03f;
        var parameters = new ParameterSet(device);
        var z1 = parameters.Add("z1", new Shape(batch, width), Initializer.XavierNormal(1, 1));
        var z2 = parameters.Add("z2", new Shape(batch, width), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var tape = new Tape();
        return new("ntxent_am_fwd_bwd", [new("B", batch), new("D", width)], "pairs of views/s", batch, () =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters.ZeroGradients();
            tape.Backward(NtXent.Forward(tape, z1.Value, z2.Value, temperature, symmetric: true, MarginKind.Additive, margin));
        })
        {
            // Similarities and two products for the gradient, each of all 2B × 2B pairs; symmetry saves up to half.
            Operations = 3 * 2.0 * 4 * batch * batch * width,
        };
    }

    public static BenchmarkCase Classifier(Device device, int batch, int classes)
    {
        const int width = 192;
        var parameters = new ParameterSet(device);
        var weight = parameters.Add("weight", new Shape(classes, width), Initializer.XavierNormal(1, 1));
        var embeddings = parameters.Add("embeddings", new Shape(batch, width), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var labels = device.AllocatePersistent(new Shape(batch), ElementType.Int32);
        var tape = new Tape();
        return new("margin_classifier_fwd_bwd", [new("batch", batch), new("classes", classes), new("D", width)], "utt/s", batch, () =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters.ZeroGradients();
            tape.Backward(MarginClassifier.Forward(tape, embeddings.Value, weight, labels, MarginKind.AdditiveAngular, 30f, 0.2f));
        })
        {
            Bytes = 12.0 * classes * width,
            Operations = 8.0 * batch * classes * width,
        };
    }
}
