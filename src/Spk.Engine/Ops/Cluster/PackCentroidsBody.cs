using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Packs one strip of centroids as B of the matrix product, and leaves ‖c‖²/2 of each; unused columns can never win.</summary>
internal unsafe struct PackCentroidsBody<TKernel> : IParallelBody
    where TKernel : struct, IGemmKernel
{
    public NearestCentroidRequest Request;
    public NearestCentroid.Layout<TKernel> Layout;
    public float* Packed, Offsets;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int first = index * TKernel.Width;
        int columns = Math.Min(TKernel.Width, Request.Clusters - first);
        var view = MatrixView.Of(Request.Centroids, Request.Clusters, Request.Dimension, (int)Request.CentroidStride);
        int padded = Layout.Strips * TKernel.Width;
        for (int from = 0; from < Request.Dimension; from += Layout.BlockDepth)
        {
            int depth = Math.Min(Layout.BlockDepth, Request.Dimension - from);
            float* to = Packed + ((nint)from * padded) + ((nint)first * depth);
            GemmPack.TransposedStrips(view, first, columns, from, depth, TKernel.Width, depth, to);
        }

        for (int k = 0; k < TKernel.Width; k++)
        {
            float* c = k < columns ? Request.Centroid(first + k) : null;
            Offsets[first + k] = c == null ? float.PositiveInfinity : (float)(0.5 * RowMath.Dot(c, c, Request.Dimension));
        }
    }
}
