using BenchmarkDotNet.Attributes;
using Spk.Engine.Clustering;
using Spk.Engine.Numerics;

namespace Spk.Bench.Clustering;

/// <summary>Linear assignment: a dense matrix, and ten thousand rows and columns with 100 near-equal cells in every row.</summary>
public class AssignmentBench
{
    private const int Dense = 500, Sparse = 10_000, PerRow = 100;
    private readonly double[] _cost = new double[Dense * Dense];
    private readonly int[] _starts = new int[Sparse + 1], _cells = new int[Sparse * PerRow], _weights = new int[Sparse * PerRow];

    [GlobalSetup]
    public void Setup()
    {
        var random = new CounterRandom(5, RandomPurpose.Clustering);
        foreach (ref double cost in _cost.AsSpan())
        {
            cost = random.NextFloat();
        }

        for (int i = 0; i < Sparse; i++)
        {
            _starts[i + 1] = _starts[i] + PerRow;
            for (int c = 0; c < PerRow; c++)
            {
                _cells[_starts[i] + c] = (c * (Sparse / PerRow)) + random.NextInt(Sparse / PerRow);
                _weights[_starts[i] + c] = 1 + random.NextInt(30);
            }
        }
    }

    [Benchmark]
    public int[] DenseOf500() => Hungarian.Minimize(_cost, Dense, Dense);

    [Benchmark]
    public long SparseOf10000() => SparseAssignment.Maximize(_starts, _cells, _weights, Sparse).Total;
}
