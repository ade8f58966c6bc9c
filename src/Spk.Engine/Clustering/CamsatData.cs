using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>Rows, their views and the distances to their neighbours, on a device.</summary>
/// <param name="Rows">[N, D].</param>
/// <param name="Views">[N, D] each; empty where no term uses them.</param>
/// <param name="Radii">[N], distance to the tenth neighbour or whichever was asked for.</param>
internal sealed record CamsatData(Tensor Rows, Tensor[] Views, Tensor Radii)
{
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
        var tensor = device.Workspace.Rent(new Shape(rows.Length / dimension, dimension));
        tensor.CopyFrom(rows);
        return unitLength ? L2Normalize.Forward(null, tensor) : tensor;
    }

    // Rows moved in random directions.
    private static Tensor Noise(Tensor rows, Tensor radii, CamsatOptions options, int view)
    {
        int count = rows.Shape[0], dimension = rows.Shape[1];
        var directions = new float[rows.Count];
        for (int row = 0; row < count; row++)
        {
            Directions(options.Seed, -1 - view, row, directions.AsSpan(row * dimension, dimension));
        }

        var tensor = rows.Device.Workspace.Rent(rows.Shape);
        tensor.CopyFrom(directions);
        var moved = Perturb.Forward(rows, tensor, (float)options.NoiseRadius, radii);
        return options.UnitLength ? L2Normalize.Forward(null, moved) : moved;
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
