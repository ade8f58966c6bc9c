using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Many problems at once. On the CPU small ones side by side, each on one thread, and large ones one after the other on all threads; on a GPU those
/// of much the same size in common launches.
/// </summary>
internal sealed class KMeansBatch(IReadOnlyList<KMeansProblem> problems, KMeansOptions options, CancellationToken cancellation)
{
    // Multiply-adds of an iteration from which a problem alone keeps all threads busy.
    private const double WorkOfLarge = 5e8;

    private readonly KMeansResult[] _results = new KMeansResult[problems.Count];
    private CpuDevice?[] _devices = [];
    private int[] _small = [];

    public KMeansResult[] Run(Device device)
    {
        if (device is CudaDevice cuda && KMeansCudaBatch.Suits(options))
        {
            new KMeansCudaBatch(cuda, problems, options, cancellation).Run(_results);
            return _results;
        }

        var small = new List<int>();
        for (int p = 0; p < problems.Count; p++)
        {
            // One that is null is named where it would be solved.
            if (device is CpuDevice && problems[p] is { } problem && (double)problem.Rows.Length * problem.Clusters < WorkOfLarge)
            {
                small.Add(p);
            }
            else
            {
                _results[p] = Fit(p, device);
            }
        }

        if (small.Count > 0)
        {
            // The longest first, so that no thread is left with one at the end.
            _small = [.. small.OrderByDescending(p => (double)problems[p].Rows.Length * problems[p].Clusters)];
            RunSmall((CpuDevice)device);
        }

        return _results;
    }

    private void RunSmall(CpuDevice cpu)
    {
        _devices = new CpuDevice?[cpu.Threads];
        var self = GCHandle.Alloc(this);
        try
        {
            var body = new Body { Batch = GCHandle.ToIntPtr(self) };
            cpu.Workers.For(_small.Length, ref body);
        }
        finally
        {
            self.Free();
            foreach (var one in _devices)
            {
                one?.Dispose();
            }
        }
    }

    /// <summary>The options of one of the problems.</summary>
    public static KMeansOptions Own(KMeansOptions options, KMeansProblem problem) =>
        options with { Clusters = problem.Clusters, Seed = problem.Seed ?? options.Seed };

    /// <summary>Does something with a problem; what it has to say against it names the problem.</summary>
    public static T Named<T>(int index, KMeansProblem problem, Func<KMeansProblem, T> work) =>
        Named($"problem {index}", () => work(problem ?? throw new InvalidOptionException("it is null.")));

    /// <summary>Does something with problems in common; what it has to say against them names them.</summary>
    /// <param name="indices">One or more.</param>
    /// <param name="work">What to do.</param>
    public static T Named<T>(int[] indices, Func<T> work) =>
        Named(indices.Length == 1 ? $"problem {indices[0]}" : $"problem {indices[0]} and {indices.Length - 1} more in common", work);

    private static T Named<T>(string who, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (InvalidOptionException e)
        {
            throw new InvalidOptionException($"{who}: {e.Message}", e);
        }
        catch (ShapeException e)
        {
            throw new ShapeException($"{who}: {e.Message}", e);
        }
        catch (NonFiniteException e)
        {
            throw new NonFiniteException($"{who}: {e.Message}", e);
        }
        catch (OutOfDeviceMemoryException e)
        {
            throw new OutOfDeviceMemoryException($"{who}: {e.Message}", e);
        }
    }

    private KMeansResult Fit(int index, Device device) => Named(
        index,
        problems[index],
        problem => KMeans.Fit(
            problem.Rows.Span, problem.Dimension, Own(options, problem), problem.InitialCentroids.Span, problem.Weights.Span, device, null, cancellation));

    private struct Body : IParallelBody
    {
        public nint Batch;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            var batch = (KMeansBatch)GCHandle.FromIntPtr(Batch).Target!;

            // A worker's devices are its own: one thread each, memory kept from problem to problem.
            var device = batch._devices[worker] ??= new CpuDevice(1);
            int problem = batch._small[index];
            batch._results[problem] = batch.Fit(problem, device);
        }
    }
}
