using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class SimilaritySoftmaxTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(SimilaritySoftmaxTests), nameof(GoldenCases))]
    public void A_queue_equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var (q, k, queue) = (g.Input("query"), g.Input("key"), g.Input("queue"));
        var queries = Samples.Variable(device, new Shape(q.Shape[0], q.Shape[1]), q.ToSingle());
        var options = new SimilaritySoftmaxOptions
        {
            Temperature = (float)g.Number("temperature"),
            Margin = g.Text("margin_kind") switch { "am" => MarginKind.Additive, "aam" => MarginKind.AdditiveAngular, _ => MarginKind.None },
            MarginValue = (float)g.Number("margin"),
            Memory = Samples.Constant(device, new Shape(queue.Shape[0], queue.Shape[1]), queue.ToSingle()),
            KeysAreNegatives = false,
        };
        var tape = new Tape();
        var loss = SimilaritySoftmax.Forward(tape, queries, Samples.Constant(device, queries.Shape, k.ToSingle()), options);
        tape.Backward(loss);
        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_query", Samples.Read(queries.Grad!));
    }

    [Test]
    public void Memory_and_further_keys_match_differences([Values] bool keysAreNegatives, [Values] bool labelled, [Values(3, 17)] int memoryRows)
    {
        const int rows = 4, keyRows = 6, width = 7;
        int[] queryLabels = [0, 1, 2, -1], keyLabels = [0, 1, 2, 3, 0, -1], memoryLabels = [.. Enumerable.Range(0, memoryRows).Select(i => i % 4)];
        float[] memory = Samples.Normal(3, memoryRows * width);
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("queries", new Shape(rows, width), Samples.Normal(1, rows * width)), ("keys", new Shape(keyRows, width), Samples.Normal(2, keyRows * width))],
            (tape, v) => SimilaritySoftmax.Forward(tape, v[0], v[1], new SimilaritySoftmaxOptions
            {
                Temperature = 0.3f,
                Margin = MarginKind.Additive,
                MarginValue = 0.1f,
                Memory = Samples.Constant(device, new Shape(memoryRows, width), memory),
                KeysAreNegatives = keysAreNegatives,
                QueryLabels = labelled ? Labels(queryLabels) : null,
                KeyLabels = labelled ? Labels(keyLabels) : null,
                MemoryLabels = labelled ? Labels(memoryLabels) : null,
            }),
            v =>
            {
                double[][] candidates = [.. LossReference.UnitRows(v[1], width), .. LossReference.UnitRows(Samples.ToDouble(memory), width)];
                int[] labels = [.. keyLabels, .. memoryLabels];
                bool Keep(int i, int j) =>
                    (keysAreNegatives || j >= keyRows) && !(labelled && queryLabels[i] >= 0 && queryLabels[i] == labels[j]);
                return [LossReference.Loss(LossReference.UnitRows(v[0], width), candidates, i => i, Keep, MarginKind.Additive, 0.1f, 1 / 0.3f)];
            });

        Tensor Labels(int[] labels)
        {
            var tensor = device.Workspace.Rent(new Shape(labels.Length), ElementType.Int32);
            tensor.CopyIntsFrom(labels);
            return tensor;
        }
    }

    [Test]
    public void Constant_keys_get_no_gradient()
    {
        using var device = on.Open(1);
        var queries = Samples.Variable(device, new Shape(5, 8), Samples.Normal(1, 40));
        var keys = Samples.Constant(device, new Shape(5, 8), Samples.Normal(2, 40));
        var tape = new Tape();
        tape.Backward(SimilaritySoftmax.Forward(tape, queries, keys, new SimilaritySoftmaxOptions()));
        Assert.That(keys.Grad, Is.Null);
        Assert.That(Samples.Read(queries.Grad!), Has.Some.Not.EqualTo(0f));
    }

    [Test]
    public void Without_gradient_nothing_is_recorded()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(5, 8), Samples.Normal(1, 40));
        var tape = new Tape();
        var loss = SimilaritySoftmax.Forward(tape, x, x, new SimilaritySoftmaxOptions());
        Assert.That(tape.Count, Is.Zero);
        Assert.That(loss.RequiresGrad, Is.False);
    }

    [Test]
    public void Excluding_options_are_named()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(5, 8), Samples.Normal(1, 40));
        Assert.Multiple(() =>
        {
            Assert.That(() => SimilaritySoftmax.Forward(null, x, x, new() { Symmetric = true, Memory = x }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => SimilaritySoftmax.Forward(null, x, x, new() { MemoryLabels = x }), Throws.TypeOf<ShapeException>());
            Assert.That(() => SimilaritySoftmax.Forward(null, x, x, default), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("temperature = 0"));
        });
    }

    private static IEnumerable<TestCaseData> GoldenCases() => Golden.Cases("moco_infonce");
}
