using Spk.Engine.Clustering;
using Spk.Engine.Devices;

namespace Spk.Training.PseudoLabelling;

/// <summary>What clustering needs of memory, found before any of it is taken. Neither counts the program itself, some 100 MiB.</summary>
/// <param name="Host">Rows, their names and views, results and all that the method and then the measures of its clusters take; bytes.</param>
/// <param name="Device">Memory of a GPU; 0 on the CPU.</param>
public sealed record ClusteringMemory(long Host, long Device)
{
    // Of a row, a short one as a string and the reference to it.
    private const long NameBytes = 40;

    /// <summary>Estimates it.</summary>
    /// <param name="rows">N.</param>
    /// <param name="dimension">D.</param>
    /// <param name="settings">What is asked for.</param>
    /// <param name="device">Where.</param>
    /// <param name="views">Views that are given to <c>camsat</c>.</param>
    /// <param name="silhouettePoints">Points that the silhouette is to be estimated on; 0 to leave it out.</param>
    /// <exception cref="Spk.Interop.InvalidOptionException">A setting is out of range.</exception>
    public static ClusteringMemory Estimate(int rows, int dimension, ClusteringSettings settings, Device device, int views = 0, int silhouettePoints = ClusterMeasures.SilhouettePoints)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(device);
        long matrix = (long)rows * dimension * sizeof(float), clusters = settings.KMeans.Clusters;
        int threads = device is CpuDevice cpu ? cpu.Threads : 0;
        long given = settings.Method == ClusteringMethods.Camsat ? views * matrix : 0;

        // Names, labels and similarities.
        long result = rows * (NameBytes + (2L * sizeof(float)));
        bool isHost = device is CpuDevice;
        var (method, onDevice) = settings.Method switch
        {
            "camsat" or "imsat" => Network(rows, dimension, settings.ResolvedNetwork, views),
            "ahc" => (Tree(rows, dimension), 0),
            _ => KMeans(rows, dimension, settings, isHost, threads),
        };

        // The measures come on top: scratch memory stays with the device, and arrays of the method stay until there is need to collect them.
        long measures = Measures(rows, dimension, clusters, silhouettePoints);
        return new ClusteringMemory(matrix + given + result + measures + method + (isHost ? onDevice : 0), isHost ? 0 : onDevice);
    }

    // The points of the silhouette, drawn and then in tiles; when those are gone, the centroids in f64 once for each of the other two measures; and about a
    // dozen arrays of labels and orders.
    private static long Measures(int rows, int dimension, long clusters, int silhouettePoints)
    {
        long points = (long)Math.Min(rows, silhouettePoints) * dimension * sizeof(float), drawn = silhouettePoints < rows ? points : 0;
        return drawn + Math.Max(points, 2 * clusters * dimension * sizeof(double)) + (12L * rows * sizeof(int));
    }

    // Rows, centroids and scratch move to a device; the trees and mixtures that follow stay on the host.
    private static (long Host, long Device) KMeans(int rows, int dimension, ClusteringSettings settings, bool isHost, int threads)
    {
        var options = settings.KMeansOf(rows);
        long scratch = isHost
            ? Engine.Clustering.KMeans.EstimateScratchBytes(rows, dimension, options, threads)
            : Engine.Clustering.KMeans.EstimateDeviceBytes(rows, dimension, options);
        long centroids = 2L * options.Clusters * dimension * sizeof(float);
        long after = settings.Method switch
        {
            "pseudo" => Tree(options.Clusters, dimension),
            "gmm" => Mixture(rows, dimension, options.Clusters),
            _ => 0,
        };
        return (centroids + after, scratch);
    }

    // Half the distances of all pairs, and the points in tiles.
    private static long Tree(long points, long dimension) => (2 * points * points) + (2 * points * dimension * sizeof(float));

    // Rows about their mean, twice; six tables of components in f64, two in f32; and the shares of a block of 512 rows.
    private static long Mixture(long rows, long dimension, long components) =>
        (2 * rows * dimension * sizeof(float)) + (rows * (sizeof(double) + sizeof(int))) + (components * ((dimension * ((6 * sizeof(double)) + (2 * sizeof(float)))) + (512 * sizeof(float))));

    private static (long Host, long Device) Network(int rows, int dimension, CamsatOptions options, int views)
    {
        // Distances to neighbours, order and labels of the rows; the weights that the result keeps.
        long weights = ((long)dimension + 1) * options.HiddenWidth, inner = ((long)options.HiddenWidth + 4) * options.HiddenWidth * options.HiddenLayers;
        weights += inner + (((long)options.HiddenWidth + 1) * options.Clusters);
        long own = (rows * (options.AdversarialNeighbour + 6L) * sizeof(float)) + (weights * sizeof(float));
        return (own, Camsat.EstimateBytes(rows, dimension, options, views));
    }
}
