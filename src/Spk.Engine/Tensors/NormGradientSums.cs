using Spk.Engine.Ops.Encoder;

namespace Spk.Engine.Tensors;

/// <summary>
/// What a batch norm asks of a product that alone is the gradient dy of its output: Σ dy and Σ dy·(a − μ) by runs of rows, a = activation(x), before it reads
/// dy and x for them itself. It lives as long as the norm's step on the tape.
/// </summary>
internal sealed class NormGradientSums
{
    /// <summary>The norm's input.</summary>
    public Tensor X { get; private set; } = null!;

    /// <summary>Its mean, and more behind.</summary>
    public Tensor Statistics { get; private set; } = null!;

    /// <summary>Of the activation below 0.</summary>
    public float Slope { get; private set; }

    /// <summary>The norm's output. A tape records on nodes that it used before, so that a tensor of another recording may still hold this.</summary>
    public Tensor Y { get; private set; } = null!;

    /// <summary>What the sums are of.</summary>
    public void Set(Tensor x, Tensor y, Tensor statistics, float slope) => (X, Y, Statistics, Slope) = (x, y, statistics, slope);

    /// <summary>Makes room for the sums of runs of rows, [runs, 2, C]; null where the norm's own pass is faster.</summary>
    public Tensor? Rent(int rowsEach)
    {
        int runs = (X.Shape.Rows + rowsEach - 1) / rowsEach;
        return runs > BatchNormEpilogue.MostRuns ? null : X.Device.Workspace.Rent(new Shape(runs, 2, X.Shape.Last));
    }
}
