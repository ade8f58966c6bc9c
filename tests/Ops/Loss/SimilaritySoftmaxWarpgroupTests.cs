using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

/// <summary>The loss with its cosines on Hopper's warpgroups against the CPU, and when they are chosen.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class SimilaritySoftmaxWarpgroupTests(TestDevice on)
{
    // Half the distance of neighbouring bf16 numbers, relative: what rounding a weight changes.
    private const double HalfUlp = 1.0 / 512;

    public enum Kind
    {
        Symmetric,
        FurtherKeys,
        Queue,
    }

    // Own tiles of 128, others of 64; widths for each kernel, and one that is no multiple of 8. Unit rows of 4^n equal elements are bf16 numbers, so that
    // only the weights of the gradient are rounded.
    [TestCase(Kind.Symmetric, 70, 21)]
    [TestCase(Kind.Symmetric, 9, 200)]
    [TestCase(Kind.FurtherKeys, 131, 64)]
    [TestCase(Kind.FurtherKeys, 20, 300)]
    [TestCase(Kind.Queue, 66, 130)]
    [TestCase(Kind.Symmetric, 130, 128)] // Tiles that take each other's place, in every kernel; the widest in two parts of their width.
    [TestCase(Kind.Queue, 140, 256)]
    [TestCase(Kind.Symmetric, 70, 300)]
    [TestCase(Kind.FurtherKeys, 70, 512)]
    [TestCase(Kind.Symmetric, 260, 16)] // Others in parts, whose sums are added.
    [Category("Sanitized")]
    public void Rows_that_bf16_has_give_the_loss_of_the_CPU(Kind kind, int rows, int width)
    {
        float[] queries = Samples.Signs(1, rows, width), keys = Samples.Signs(2, rows + 5, width), memory = Samples.Signs(3, 77, width);
        var want = Run(new CpuDevice(2), kind, rows, width, queries, keys, memory);
        var got = Run(on.OpenHopper(RowsKernel), kind, rows, width, queries, keys, memory);
        Assert.That(got.Loss, Is.EqualTo(want.Loss).Within(1e-5 * want.Loss));
        Close.Assert(got.Statistics, want.Statistics, 1e-5, "statistics");
        Close.Assert(got.Queries, want.Queries, 2 * HalfUlp * want.Queries.Max(Math.Abs), "gradient of the queries");
        Close.Assert(got.Keys, want.Keys, 2 * HalfUlp * want.Keys.Max(Math.Abs), "gradient of the keys");
        var again = Run(on.OpenHopper(RowsKernel), kind, rows, width, queries, keys, memory);
        Assert.That((again.Loss, again.Queries, again.Keys), Is.EqualTo((got.Loss, got.Queries, got.Keys)), "the same bits again");
    }

    // A cosine of rounded rows is off by about HalfUlp / √width, the logit by that over the temperature.
    [TestCase(Kind.Symmetric, 40, 192)]
    [TestCase(Kind.Queue, 40, 48)]
    public void Any_rows_give_it_but_for_their_rounding(Kind kind, int rows, int width)
    {
        float[] queries = Samples.Normal(1, rows * width), keys = Near(queries, (rows + 5) * width), memory = Samples.Normal(3, 77 * width);
        var want = Run(new CpuDevice(2), kind, rows, width, queries, keys, memory);
        var got = Run(on.OpenHopper(RowsKernel), kind, rows, width, queries, keys, memory);
        double logit = 4 * HalfUlp / Math.Sqrt(width) / Temperature;
        Assert.That(got.Loss, Is.EqualTo(want.Loss).Within(logit));
        Close.Assert(got.Queries, want.Queries, (logit + (4 * HalfUlp)) * want.Queries.Max(Math.Abs), "gradient of the queries");
        Close.Assert(got.Keys, want.Keys, (logit + (4 * HalfUlp)) * want.Keys.Max(Math.Abs), "gradient of the keys");
    }

    [Test]
    public void A_row_that_is_not_a_number_shows()
    {
        float[] queries = Samples.Signs(1, 5, 16), keys = Samples.Signs(2, 10, 16);
        keys[20] = float.NaN;
        Assert.That(Run(on.OpenHopper(RowsKernel), Kind.FurtherKeys, 5, 16, queries, keys, []).Loss, Is.NaN);
    }

    [Test]
    public void They_are_chosen_for_bf16_and_enough_work()
    {
        using var device = on.OpenHopper(RowsKernel);
        var launched = new List<string>();
        device.Launching = kernel => launched.Add(kernel.Name);
        Assert.That(Kernels(16), Is.EqualTo(new[] { "similarity_softmax_rows_wgmma_128", "similarity_softmax_gradient_wgmma_128" }));
        Assert.That(Kernels(129), Is.EqualTo(new[] { "similarity_softmax_rows_wgmma_256", "similarity_softmax_gradient_wgmma_256" }));
        Assert.That(Kernels(512), Is.EqualTo(new[] { "similarity_softmax_rows_wgmma_512", "similarity_softmax_gradient_wgmma_512" }));
        Assert.That(Kernels(513), Is.Empty, "more than own rows have room for");
        device.AlwaysOnWarpgroups = false;
        Assert.That(Kernels(16), Is.Empty, "little work");
        device.AlwaysOnWarpgroups = true;
        device.Precision = Precision.Tf32;
        Assert.That(Kernels(16), Is.Empty, "another precision");
        device.Precision = Precision.Bf16;
        device.UsesBulkCopies = false;
        Assert.That(Kernels(16), Is.Empty, "when told so");
        (device.UsesBulkCopies, device.UsesWarpgroups) = (true, false);
        Assert.That(Kernels(16), Is.Empty, "when told so");

        IEnumerable<string> Kernels(int width)
        {
            launched.Clear();
            device.Workspace.Reset();
            var x = Samples.Variable(device, new Shape(3, width), Samples.Normal(1, 3 * width));
            SimilaritySoftmax.Forward(new Tape(), x, x, new SimilaritySoftmaxOptions { Temperature = Temperature, Symmetric = true });
            return launched.Where(name => name.Contains("wgmma", StringComparison.Ordinal) && !name.EndsWith("_round", StringComparison.Ordinal));
        }
    }

    [Test]
    public void Recorded_losses_keep_their_maps()
    {
        using var device = on.OpenHopper(RowsKernel);
        const int rows = 70, width = 24;
        var x = device.AllocatePersistent(new Shape(rows, width));
        var keys = device.AllocatePersistent(new Shape(rows, width));
        keys.CopyFrom(Samples.Signs(2, rows, width));
        float[] first = Samples.Signs(1, rows, width), second = Samples.Signs(3, rows, width);
        var want = new[] { first, second }.ToDictionary(values => values, values => Queue(values)());
        device.Driver.BeginCapture(device.Stream);
        var read = Queue(null);
        var recorded = device.Driver.EndCapture(device.Stream);
        var graph = device.Driver.Instantiate(recorded);
        device.Driver.Destroy(recorded);
        foreach (float[] values in new[] { second, first })
        {
            x.CopyFrom(values);
            device.Driver.Launch(graph, device.Stream);
            Assert.That(read(), Is.EqualTo(want[values]));
        }

        Assert.That(want[first].Loss, Is.Not.EqualTo(want[second].Loss));
        device.Driver.Destroy(graph);

        // Queues a loss with its gradients; what is returned reads them.
        Func<(float Loss, float[] Gradient)> Queue(float[]? values)
        {
            device.Workspace.Reset();
            x.BeginGradient();
            keys.BeginGradient();
            if (values is not null)
            {
                x.CopyFrom(values);
            }

            var tape = new Tape();
            var loss = SimilaritySoftmax.Forward(tape, x, keys, new SimilaritySoftmaxOptions { Temperature = Temperature, Symmetric = true });
            tape.Backward(loss);
            var gradient = x.Grad!;
            return () => (Samples.Read(loss)[0], Samples.Read(gradient));
        }
    }

    private const float Temperature = 0.2f;

    private static readonly KernelId RowsKernel = new("loss/similarity_softmax", "similarity_softmax_rows_wgmma_128");

    private static (float Loss, float[] Statistics, float[] Queries, float[] Keys) Run(
        Device device, Kind kind, int rows, int width, float[] queries, float[] keys, float[] memory)
    {
        using (device)
        {
            int keyRows = kind == Kind.FurtherKeys ? rows + 5 : rows;
            var q = Samples.Variable(device, new Shape(rows, width), queries);
            var k = Samples.Variable(device, new Shape(keyRows, width), keys.AsSpan(0, keyRows * width));
            var options = new SimilaritySoftmaxOptions
            {
                Temperature = Temperature,
                Symmetric = kind == Kind.Symmetric,
                Margin = MarginKind.Additive,
                MarginValue = 0.15f,
            };
            options = kind switch
            {
                Kind.Symmetric => options with { QueryLabels = Labels(rows, 9) },
                Kind.FurtherKeys => options with { ItemCount = 4 },
                _ => options with
                {
                    Memory = Samples.Constant(device, new Shape(77, width), memory),
                    QueryLabels = Labels(rows, 7),
                    KeyLabels = Labels(rows, 7),
                    MemoryLabels = Labels(77, 7),
                },
            };
            var tape = new Tape();
            var loss = SimilaritySoftmax.Forward(tape, q, k, options, out var statistics);
            tape.Backward(loss);
            float[] values = [statistics.MeanPositiveCosine, statistics.MeanNegativeCosine, statistics.TopOneRate];
            return (Samples.Read(loss)[0], values, Samples.Read(q.Grad!), Samples.Read(k.Grad!));

            Tensor Labels(int count, int speakers)
            {
                var tensor = device.Workspace.Rent(new Shape(count), ElementType.Int32);
                tensor.CopyIntsFrom([.. Enumerable.Range(0, count).Select(i => (i % speakers) - 1)]);
                return tensor;
            }
        }
    }

    // Keys like their queries, and others.
    private static float[] Near(float[] queries, int count) =>
        [.. Samples.Normal(2, count).Select((value, i) => i < queries.Length ? queries[i] + (0.7f * value) : value)];
}
