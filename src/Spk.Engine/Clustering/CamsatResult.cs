using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>Clusters that <see cref="Camsat"/> found, and the network that gives new rows to them.</summary>
public sealed class CamsatResult
{
    private readonly CamsatOptions _options;
    private readonly float[][] _parameters;

    internal CamsatResult(int dimension, CamsatOptions options, float[][] parameters)
    {
        Dimension = dimension;
        _options = options;
        _parameters = parameters;
    }

    /// <summary>D, columns of rows.</summary>
    public int Dimension { get; }

    /// <summary>[N], most probable class of every row, 0 to K − 1; classes without rows keep their numbers.</summary>
    public required int[] Labels { get; init; }

    /// <summary>[N], probability of that class, 1/K to 1: rows that are not sure can be left out.</summary>
    public required float[] Confidences { get; init; }

    /// <summary>Number of classes that have a row.</summary>
    public required int Clusters { get; init; }

    /// <summary>What every epoch reached; the last one describes <see cref="Labels"/>.</summary>
    public required IReadOnlyList<CamsatEpoch> Epochs { get; init; }

    /// <summary>Labels of new rows.</summary>
    /// <param name="rows">[M, D], row-major, finite.</param>
    /// <param name="confidences">[M], receives the probability of each label; empty for none.</param>
    /// <param name="device">Where to compute; null for the CPU with all processors.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>[M] labels, 0 to K − 1.</returns>
    /// <exception cref="ShapeException">The values are no rows of dimension D, or the confidences not one a row.</exception>
    /// <exception cref="NonFiniteException">A value is not finite; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public int[] Predict(ReadOnlySpan<float> rows, Span<float> confidences = default, Device? device = null, CancellationToken cancellation = default)
    {
        int count = Points.Count(rows, Dimension);
        if (!confidences.IsEmpty && confidences.Length != count)
        {
            throw new ShapeException($"{confidences.Length} confidences for {count} rows: there must be one a row.");
        }

        using var own = device is null ? new CpuDevice() : null;
        device ??= own!;
        var start = device.Workspace.Position;
        try
        {
            var parameters = new ParameterSet(device);
            var network = new CamsatNetwork(parameters, Dimension, _options);
            parameters.Rent(_options.Seed);
            int at = 0;
            foreach (var parameter in parameters.All)
            {
                parameter.ImportFrom(_parameters[at++]);
            }

            int[] labels = new int[count];
            float[] probabilities = new float[count];
            new CamsatLabeller(network, CamsatData.Upload(device, rows, Dimension, _options.UnitLength), _options.BatchSize).Run(labels, probabilities, cancellation);
            probabilities.AsSpan(0, confidences.Length).CopyTo(confidences);
            return labels;
        }
        finally
        {
            device.Workspace.Advance(start);
        }
    }
}
