using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>Gives rows on a device to the clusters of a network, block by block.</summary>
internal sealed class CamsatLabeller
{
    private readonly CamsatNetwork _network;
    private readonly Tensor _rows, _labels, _probabilities;
    private readonly int _block;

    public CamsatLabeller(CamsatNetwork network, Tensor rows, int block)
    {
        var workspace = rows.Device.Workspace;
        (_network, _rows, _block) = (network, rows, block);
        _labels = workspace.Rent(new Shape(rows.Shape[0]), ElementType.Int32);
        _probabilities = workspace.Rent(new Shape(rows.Shape[0]));
    }

    public void Run(Span<int> labels, Span<float> probabilities, CancellationToken cancellation)
    {
        var workspace = _rows.Device.Workspace;
        var mark = workspace.Position;
        int count = _rows.Shape[0];
        for (int start = 0; start < count; start += _block)
        {
            cancellation.ThrowIfCancellationRequested();
            int rows = Math.Min(_block, count - start);
            TopClass.Forward(_network.Predict(_rows.Slice(start, rows)), _labels.Slice(start, rows), _probabilities.Slice(start, rows));
            workspace.Advance(mark);
        }

        _labels.CopyIntsTo(labels);
        _probabilities.CopyTo(probabilities);
    }
}
