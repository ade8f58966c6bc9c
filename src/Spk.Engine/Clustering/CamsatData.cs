using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>Rows, their views and the distances to their neighbours, on a device.</summary>
/// <param name="Rows">[N, D].</param>
/// <param name="Views">[N, D] each; empty where no term uses them.</param>
/// <param name="Radii">[N], distance to the tenth neighbour or whichever was asked for.</param>
internal sealed record CamsatData(Tensor Rows, Tensor[] Views, Tensor Radii)
{
    // Rows that are changed on their way into memory, of which no second copy of all is made.
    private const int RowsAtOnce = 4096;

    public int Count => Rows.Shape[0];

    public static CamsatData Load(Device device, ReadOnlySpan<float> rows, int dimension, CamsatOptions options, ReadOnlySpan<float> views)
    {
        var bank = Upload(device, rows, dimension, options.UnitLength);
        var radii = NeighbourDistance.Of(bank, options.AdversarialNeighbour, options.UnitLength);
        if (!options.UsesViews)
        {
            return new CamsatData(bank, [], radii);
        }

        var tensors = new Tensor[views.IsEmpty ? options.NoiseViews : views.Length / rows.Length];
        for (int view = 0; view < tensors.Length; view++)
        {
            tensors[view] = views.IsEmpty
                ? Noise(bank, radii, options, view)
                : Upload(device, views.Slice(view * rows.Length, rows.Length), dimension, options.UnitLength);
        }

        return new CamsatData(bank, tensors, radii);
    }

    /// <summary>Rows on a device, scaled to unit length where that is asked for.</summary>
    public static Tensor Upload(Device device, ReadOnlySpan<float> rows, int dimension, bool unitLength)
    {
        var all = device.Workspace.Rent(new Shape(rows.Length / dimension, dimension));
        var mark = device.Workspace.Position;
        for (int start = 0; start < all.Shape[0]; start += RowsAtOnce)
        {
            int count = Math.Min(RowsAtOnce, all.Shape[0] - start);
            var some = device.Workspace.Rent(new Shape(count, dimension));
            some.CopyFrom(rows.Slice(start * dimension, count * dimension));
            Add.Copy(null, unitLength ? L2Normalize.Forward(null, some) : some, all.Slice(start, count));
            device.Workspace.Advance(mark);
        }

        return all;
    }

    /// <summary>Device memory of the rows, views and radii, and of what <see cref="Load"/> needs in between; bytes.</summary>
    public static (long Kept, long Passing) Bytes(long rows, long dimension, CamsatOptions options)
    {
        long width = options.UnitLength ? dimension : dimension + 2;
        long kept = (((options.UsesViews ? options.NoiseViews : 0) + 1) * rows * dimension) + rows;
        long passing = rows * (((options.UnitLength ? 1 : 4) * width) + (2 * (options.AdversarialNeighbour + 1)) + 2);
        return (kept * sizeof(float), (passing * sizeof(float)) + CosineTopK.WorkBytes(2 * rows, width));
    }

    // Rows moved in random directions.
    private static Tensor Noise(Tensor rows, Tensor radii, CamsatOptions options, int view)
    {
        var workspace = rows.Device.Workspace;
        int dimension = rows.Shape[1];
        var all = workspace.Rent(rows.Shape);
        var mark = workspace.Position;
        var directions = new float[Math.Min(RowsAtOnce, rows.Shape[0]) * dimension];
        for (int start = 0; start < rows.Shape[0]; start += RowsAtOnce)
        {
            int count = Math.Min(RowsAtOnce, rows.Shape[0] - start);
            for (int row = 0; row < count; row++)
            {
                Directions(options.Seed, -1 - view, start + row, directions.AsSpan(row * dimension, dimension));
            }

            var tensor = workspace.Rent(new Shape(count, dimension));
            tensor.CopyFrom(directions.AsSpan(0, count * dimension));
            var moved = Perturb.Forward(rows.Slice(start, count), tensor, (float)options.NoiseRadius, radii.Slice(start, count));
            Add.Copy(null, options.UnitLength ? L2Normalize.Forward(null, moved) : moved, all.Slice(start, count));
            workspace.Advance(mark);
        }

        return all;
    }

    /// <summary>Standard normal numbers for one row of one step.</summary>
    public static void Directions(ulong seed, long step, int row, Span<float> to)
    {
        var random = new CounterRandom(seed, RandomPurpose.Perturbation, step, row);
        foreach (ref float value in to)
        {
            value = random.NextNormal();
        }
    }
}
