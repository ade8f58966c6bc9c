using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>Times the axes of <see cref="ScalingCatalog"/> one after the other on the calling thread.</summary>
public static class ScalingRun
{
    /// <summary>Times every size of every axis asked for.</summary>
    /// <param name="options">What, where, how long.</param>
    /// <param name="report">Hears each curve as it comes.</param>
    /// <param name="failed">Hears of sizes that the device cannot do, which end their curve: axis and reason.</param>
    /// <param name="cancellation">Ends it between two calls.</param>
    /// <returns>The curves; those of threads on a CPU only.</returns>
    /// <exception cref="InvalidOptionException">The options are invalid.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<ScalingCurve> Measure(
        ScalingOptions options, Action<ScalingCurve>? report = null, Action<string, string>? failed = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var curves = new List<ScalingCurve>();

        // Held for the whole run: making a GPU's context anew for every size takes longer than most of them. A CPU's threads must not be about.
        using var keptOpen = options.Device.StartsWith("cpu", StringComparison.Ordinal) ? null : Device.Open(options.Device, options.Threads);
        bool isCpu = keptOpen is null or CpuDevice;
        foreach (var axis in ScalingCatalog.Axes.Where(a => options.Axes.Count == 0 || options.Axes.Any(p => a.Name.StartsWith(p, StringComparison.Ordinal))))
        {
            if (axis.VariesThreads && !isCpu)
            {
                continue;
            }

            var points = new List<ScalingPoint>();
            foreach (int size in options.Points > 0 ? axis.Sizes.Take(options.Points) : axis.Sizes)
            {
                try
                {
                    points.Add(Measure(axis, size, options, cancellation));
                }
                catch (SpkException e)
                {
                    failed?.Invoke($"{axis.Name} {size}", e.Message);
                    break;
                }
            }

            var curve = new ScalingCurve(axis.Name, axis.Summary, axis.SizeName, points);
            if (points.Count > 0)
            {
                curves.Add(curve);
                report?.Invoke(curve);
            }
        }

        return curves;
    }

    private static ScalingPoint Measure(ScalingAxis axis, int size, ScalingOptions options, CancellationToken cancellation)
    {
        using var device = Device.Open(options.Device, axis.VariesThreads ? size : options.Threads);
        var one = axis.Make(device, size);
        using var owned = one.Owned;
        using var yardstick = device is CpuDevice cpu ? new Yardstick(cpu.Threads) : null;
        var result = BenchmarkRun.MeasureCase(one, device, yardstick, new BenchmarkOptions { Budget = options.Budget }, null, cancellation);
        var memory = device.Memory;
        return new ScalingPoint(size, result.Median, result.Fast, result.Slow, result.Calls, memory.Persistent + memory.Peak + result.AllocatedBytes, result.Pace?.Waited);
    }
}
