using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

/// <summary>The symmetric softmax by blocks: with all of their powers kept, some, and none.</summary>
public class PairSoftmaxTests
{
    private const int Width = 12;
    private const float InverseTemperature = 10, Margin = 0.1f;

    // Inside a tile, around it, around a block, and with blocks below those on the diagonal, of which the last size has two in a column.
    [Test]
    public void Losses_and_gradients_are_those_of_the_whole_matrix_in_f64(
        [Values(2, 126, 128, 130, 300, 512, 514, 1100, 2700)] int rows, [Values] bool labelled)
    {
        float[] unit = UnitRowsOf(rows);
        var (losses, gradient) = Reference(unit, rows, labelled);
        foreach (long limit in new[] { 0, rows * (long)PairBlock.Stride, long.MaxValue })
        {
            var got = Run(unit, rows, labelled, limit);
            Close.Assert(got.Losses, losses, 1e-5 * Math.Max(losses.Max(), 1e-3), $"losses, limit {limit}");
            Close.Assert(got.Gradient, gradient, 1e-5 * Math.Max(gradient.Max(Math.Abs), 1e-3), $"gradient, limit {limit}");
        }
    }

    [Test]
    public void The_gradient_is_that_of_differences([Values(0L, long.MaxValue)] long limit)
    {
        const int rows = 600;
        float[] unit = UnitRowsOf(rows);
        var got = Run(unit, rows, labelled: true, limit);
        double scale = got.Gradient.Max(Math.Abs);
        double[] values = Samples.ToDouble(unit);

        // An anchor of every kind of block, and its positive.
        foreach (int element in new[] { 3, (140 * Width) + 1, (440 * Width) + 7, (560 * Width) + 2, (rows * Width) - 1 })
        {
            double difference = (MeanAt(1e-5) - MeanAt(-1e-5)) / 2e-5;
            Assert.That(got.Gradient[element], Is.EqualTo(difference).Within(Tolerance.Gradient * scale), $"element {element}");

            double MeanAt(double step)
            {
                double[] moved = [.. values];
                moved[element] += step;
                return Losses(moved, rows, labelled: true, gradient: null).Average();
            }
        }
    }

    [Test]
    public void General_softmax_agrees([Values(130, 700)] int rows, [Values] bool labelled)
    {
        float[] unit = UnitRowsOf(rows);
        var pair = Run(unit, rows, labelled, long.MaxValue);
        var row = Run(unit, rows, labelled, limit: -1);
        Close.Assert(pair.Losses, row.Losses, 1e-5 * row.Losses.Max(), "losses");
        Close.Assert(pair.Gradient, row.Gradient, 1e-5 * row.Gradient.Max(Math.Abs), "gradient");
    }

    [Test]
    public void Thread_count_does_not_change_bits([Values(0L, 1100L * PairBlock.Stride, long.MaxValue)] long limit)
    {
        float[] unit = UnitRowsOf(1100);
        var want = Run(unit, 1100, labelled: true, limit, threads: 1);
        foreach (int threads in new[] { 2, 5 })
        {
            var got = Run(unit, 1100, labelled: true, limit, threads);
            Assert.That(got.Losses, Is.EqualTo(want.Losses));
            Assert.That(got.Gradient, Is.EqualTo(want.Gradient));
        }
    }

    [TestCase(1100, 0, 0, 5)]
    [TestCase(1100, 1100 * PairBlock.Stride, 2, 5)]
    [TestCase(1100, 1 << 30, 5, 5)]
    [TestCase(8192, 4 * 8192 * 512, 21, 52)]
    public void Blocks_cover_the_lower_triangle_and_keep_to_the_limit(int rows, long limit, int kept, int count)
    {
        using var device = new CpuDevice(1);
        var blocks = new PairBlocks(device, rows, limit);
        long covered = 0, used = 0, first = 0;
        int met = 0, stay = 0;
        foreach (var block in blocks)
        {
            for (int tile = 0; tile < block.Tiles; tile++)
            {
                int height = Math.Min(PairBlock.Tile, block.Rows - (tile * PairBlock.Tile));
                covered += (2L * height * block.MirroredColumnsOf(tile)) + (height * (long)(block.ColumnsOf(tile) - block.MirroredColumnsOf(tile)));
            }

            first += block.Row == block.Column ? block.Rows : 0;
            used += block.IsKept ? block.Rows * (long)PairBlock.Stride : 0;
            (met, stay) = (met + 1, stay + (block.IsKept ? 1 : 0));
        }

        Assert.Multiple(() =>
        {
            Assert.That(covered, Is.EqualTo((long)rows * rows));
            Assert.That(first, Is.EqualTo(rows));
            Assert.That((stay, met), Is.EqualTo((kept, count)));
            Assert.That(used, Is.LessThanOrEqualTo(limit));
            Assert.That(device.Workspace.UsedBytes, Is.LessThanOrEqualTo((used + (PairBlocks.Height * PairBlock.Stride)) * sizeof(float)));
        });
    }

    [Test]
    public void Memory_grows_with_the_anchors_and_not_with_their_square()
    {
        // 32 MiB, and besides them a block, and a few numbers an anchor.
        using var device = new CpuDevice(2);
        const int rows = 6000;
        _ = Run(device, UnitRowsOf(rows), rows, labelled: false, limit: null, out long bytes);
        Assert.That(bytes, Is.LessThan((32L << 20) + (PairBlocks.Height * PairBlock.Stride * sizeof(float)) + (rows * 64L)));
        Assert.That(bytes, Is.LessThan(rows * (long)rows * sizeof(float) / 3));
    }

    [TestCase(6000, 12, 8 << 20)]
    [TestCase(8192, 512, 4 * 8192 * 512)]
    [TestCase(1 << 20, 1024, 1 << 30)]
    public void Powers_are_kept_up_to_four_times_the_anchors_but_for_small_and_huge_batches(int rows, int width, long limit) =>
        Assert.That(PairSoftmax.LimitOf(rows, width), Is.EqualTo(limit));

    private static float[] UnitRowsOf(int rows)
    {
        float[] values = Samples.Normal(8, rows * Width);
        for (int row = 0; row < rows; row++)
        {
            var x = values.AsSpan(row * Width, Width);
            double length = Math.Sqrt(x.ToArray().Sum(v => (double)v * v));
            for (int d = 0; d < Width; d++)
            {
                x[d] = (float)(x[d] / length);
            }
        }

        return values;
    }

    private static int Label(int row, int rows) => row % (rows / 2) % 7;

    private static (double[] Losses, double[] Gradient) Reference(float[] unit, int rows, bool labelled)
    {
        double[] gradient = new double[unit.Length];
        return (Losses(Samples.ToDouble(unit), rows, labelled, gradient), gradient);
    }

    // Anchor by anchor over a whole row of cosines; the gradient is that of their mean.
    private static double[] Losses(double[] z, int rows, bool labelled, double[]? gradient)
    {
        double[] losses = new double[rows], logits = new double[rows];
        for (int a = 0; a < rows; a++)
        {
            int p = (a + (rows / 2)) % rows;
            double sum = 0;
            for (int j = 0; j < rows; j++)
            {
                bool counts = j == p || (j != a && !(labelled && Label(j, rows) == Label(a, rows)));
                logits[j] = counts ? InverseTemperature * (Dot(a, j) - (j == p ? Margin : 0)) : double.NegativeInfinity;
                sum += Math.Exp(logits[j]);
            }

            losses[a] = Math.Log(sum) - logits[p];
            for (int j = 0; gradient is not null && j < rows; j++)
            {
                double derivative = ((Math.Exp(logits[j]) / sum) - (j == p ? 1 : 0)) * InverseTemperature / rows;
                for (int d = 0; d < Width; d++)
                {
                    gradient[(a * Width) + d] += derivative * z[(j * Width) + d];
                    gradient[(j * Width) + d] += derivative * z[(a * Width) + d];
                }
            }
        }

        return losses;

        double Dot(int a, int b)
        {
            double dot = 0;
            for (int d = 0; d < Width; d++)
            {
                dot += z[(a * Width) + d] * z[(b * Width) + d];
            }

            return dot;
        }
    }

    private static (double[] Losses, float[] Gradient) Run(float[] unit, int rows, bool labelled, long? limit, int threads = 2)
    {
        using var device = new CpuDevice(threads);
        return Run(device, unit, rows, labelled, limit, out _);
    }

    // Without a limit the default one; below 0 the general softmax.
    private static unsafe (double[] Losses, float[] Gradient) Run(
        CpuDevice device, float[] unit, int rows, bool labelled, long? limit, out long bytes)
    {
        var z = Samples.Constant(device, new Shape(rows, Width), unit);
        var positives = device.Workspace.Rent(new Shape(rows), ElementType.Int32);
        var labels = device.Workspace.Rent(new Shape(CosineProblem.Padded(rows)), ElementType.Int32);
        labels.AsIntSpan().Fill(-1);
        for (int i = 0; i < rows; i++)
        {
            positives.AsIntSpan()[i] = (i + (rows / 2)) % rows;
            labels.AsIntSpan()[i] = Label(i, rows);
        }

        var problem = new CosineProblem
        {
            Queries = z.Data,
            Keys = z.Data,
            Rows = rows,
            KeyRows = rows,
            Width = Width,
            Positives = positives.IntData,
            QueryLabels = labelled ? labels.IntData : null,
            CandidateLabels = labelled ? labels.IntData : null,
            ExcludeSelf = true,
            KeysAreNegatives = true,
            Factor = 1,
            Margin = MarginRule.Create(MarginKind.Additive, Margin),
            Scale = CosineProblem.ScaleOf(InverseTemperature),
        };
        problem.RentResults(device);
        var gradient = device.Workspace.Rent(new Shape(rows, Width));
        Assert.That(PairSoftmax.CanRun(problem));
        long before = device.Workspace.UsedBytes;
        if (limit < 0)
        {
            RowSoftmax.Run(device, problem, gradient.Data, gradient.Data);
        }
        else if (limit is { } given)
        {
            PairSoftmax.Run(device, problem, gradient.Data, given);
        }
        else
        {
            PairSoftmax.Run(device, problem, gradient.Data);
        }

        if (limit is not < 0)
        {
            Assert.That(device.Workspace.UsedBytes, Is.EqualTo(before), "what was rented goes back");
        }

        bytes = device.Workspace.PeakBytes - before;
        return (new ReadOnlySpan<double>(problem.Losses, rows).ToArray(), Samples.Read(gradient));
    }
}
