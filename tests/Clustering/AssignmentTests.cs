using System.Diagnostics;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

public class AssignmentTests
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "hungarian" } })]
    public void Golden_matrices_cost_as_little(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        Assert.That(g.Text("objective"), Is.EqualTo("minimum"));
        var cost = g.Input("cost");
        int rows = cost.Shape[0], columns = cost.Shape[1];
        int[] assignment = Hungarian.Minimize(cost.Values, rows, columns);
        AssertOneToOne(assignment, columns);
        g.AssertOutput("total", [Hungarian.Total(cost.Values, columns, assignment)], "f64");
    }

    [TestCase(1, 1)]
    [TestCase(1, 5)]
    [TestCase(5, 1)]
    [TestCase(4, 6)]
    [TestCase(6, 4)]
    [TestCase(6, 6)]
    public void No_other_assignment_is_cheaper(int rows, int columns)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            double[] cost = Samples.ToDouble(Samples.Normal(seed, rows * columns));
            int[] assignment = Hungarian.Minimize(cost, rows, columns);
            AssertOneToOne(assignment, columns);
            Assert.That(Hungarian.Total(cost, columns, assignment), Is.EqualTo(Cheapest(cost, rows, columns, 0, 0, rows - columns)).Within(1e-12));
        }
    }

    [Test]
    public void Sparse_and_dense_matchings_weigh_the_same()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new CounterRandom((ulong)seed, RandomPurpose.Clustering);
            int rows = 1 + random.NextInt(40), columns = 1 + random.NextInt(40), largest = 1 + random.NextInt(12);
            float density = random.NextFloat();
            double[] cost = new double[rows * columns];
            int[] starts = new int[rows + 1];
            var cells = new List<int>();
            var weights = new List<int>();
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    if (random.NextFloat() < density)
                    {
                        cells.Add(j);
                        weights.Add(1 + random.NextInt(largest));
                        cost[(i * columns) + j] = -weights[^1];
                    }
                }

                starts[i + 1] = cells.Count;
            }

            var sparse = SparseAssignment.Maximize(starts, [.. cells], [.. weights], columns);
            AssertOneToOne(sparse.ColumnOfRow.ToArray(), columns, maximal: false);
            Assert.That(sparse.Total, Is.EqualTo(-Hungarian.Total(cost, columns, Hungarian.Minimize(cost, rows, columns))), $"seed {seed}");
            long weighed = sparse.ColumnOfRow.ToArray().Select((j, i) => j < 0 ? 0 : -(long)cost[(i * columns) + j]).Sum();
            Assert.That(weighed, Is.EqualTo(sparse.Total));
        }
    }

    [Test]
    public void Malformed_matrices_are_refused()
    {
        Assert.That(() => Hungarian.Minimize([1, 2, 3], 2, 2), Throws.TypeOf<ShapeException>());
        Assert.That(() => Hungarian.Minimize([1, double.NaN], 1, 2), Throws.TypeOf<NonFiniteException>().With.Message.Contains("row 0, column 1"));
        Assert.That(() => SparseAssignment.Maximize([0, 1], [3], [1], 3), Throws.TypeOf<ShapeException>());
        Assert.That(() => SparseAssignment.Maximize([0, 1], [0], [0], 3), Throws.TypeOf<ShapeException>());
        Assert.That(SparseAssignment.Maximize([0], [], [], 0).Total, Is.Zero);
    }

    [Test, Category("Slow")]
    public void Ten_thousand_clusters_are_matched([Values(1, 30)] int largest)
    {
        // 100 cells in every row and near-equal weights: the hardest kind, far from the clear winners of a good clustering.
        const int Count = 10_000, PerRow = 100;
        var random = new CounterRandom(5, RandomPurpose.Clustering);
        int[] starts = new int[Count + 1], cells = new int[Count * PerRow], weights = new int[Count * PerRow];
        for (int i = 0; i < Count; i++)
        {
            starts[i + 1] = starts[i] + PerRow;
            for (int c = 0; c < PerRow; c++)
            {
                cells[starts[i] + c] = (c * (Count / PerRow)) + random.NextInt(Count / PerRow);
                weights[starts[i] + c] = 1 + random.NextInt(largest);
            }
        }

        var clock = Stopwatch.StartNew();
        var matching = SparseAssignment.Maximize(starts, cells, weights, Count);
        TestContext.Out.WriteLine($"weights to {largest}: {clock.Elapsed.TotalSeconds:0.000} s, total {matching.Total}");
        AssertOneToOne(matching.ColumnOfRow.ToArray(), Count, maximal: false);
        Assert.That(matching.Total, Is.GreaterThan(0.95 * Count * largest));
        Assert.That(clock.Elapsed.TotalSeconds, Is.LessThan(120));
    }

    private static void AssertOneToOne(int[] assignment, int columns, bool maximal = true)
    {
        int[] used = [.. assignment.Where(j => j >= 0)];
        Assert.That(used, Is.Unique);
        Assert.That(used, Is.All.LessThan(columns));
        if (maximal)
        {
            Assert.That(used, Has.Length.EqualTo(Math.Min(assignment.Length, columns)));
        }
    }

    // Tries everything; of more rows than columns, the given number may be left out.
    private static double Cheapest(double[] cost, int rows, int columns, int row, int taken, int mayLeave)
    {
        if (row == rows)
        {
            return 0;
        }

        double least = mayLeave > 0 ? Cheapest(cost, rows, columns, row + 1, taken, mayLeave - 1) : double.PositiveInfinity;
        for (int j = 0; j < columns; j++)
        {
            if ((taken >> j & 1) == 0)
            {
                least = Math.Min(least, cost[(row * columns) + j] + Cheapest(cost, rows, columns, row + 1, taken | 1 << j, mayLeave));
            }
        }

        return least;
    }
}
