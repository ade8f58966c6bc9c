using System.Text.Json;
using System.Text.Json.Nodes;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>What one size costs.</summary>
/// <param name="Size">The size.</param>
/// <param name="Median">Seconds a call, the median.</param>
/// <param name="Fast">Seconds that one call in ten stayed below.</param>
/// <param name="Slow">Seconds that nine calls in ten stayed below.</param>
/// <param name="Calls">Calls that were timed.</param>
/// <param name="Bytes">The device's tensors at their peak, and what a call allocates beside; arrays of the caller are not counted.</param>
/// <param name="Waited">Seconds a second that each thread waited for processors that others had: 0 on an idle machine; null where nobody counted.</param>
public readonly record struct ScalingPoint(double Size, double Median, double Fast, double Slow, int Calls, double Bytes, double? Waited);

/// <summary>Cost by size.</summary>
/// <param name="Name">Name of the axis.</param>
/// <param name="Summary">What was timed.</param>
/// <param name="SizeName">What was varied.</param>
/// <param name="Points">The sizes, rising.</param>
public sealed record ScalingCurve(string Name, string Summary, string SizeName, IReadOnlyList<ScalingPoint> Points)
{
    /// <summary>The power of the size that the time grows with: the slope of a line through all points in logarithms.</summary>
    public double TimeExponent => Slope(Points, p => p.Median);

    /// <summary>The same for the larger half of the sizes, where constant costs weigh less.</summary>
    public double TimeExponentOfLarger => Slope([.. Points.Skip((Points.Count - 1) / 2)], p => p.Median);

    /// <summary>The power of the size that the memory grows with, for the larger half of the sizes.</summary>
    public double MemoryExponentOfLarger => Slope([.. Points.Skip((Points.Count - 1) / 2)], p => p.Bytes);

    /// <summary>All figures.</summary>
    public JsonObject ToJson() => new()
    {
        ["name"] = Name,
        ["summary"] = Summary,
        ["size"] = SizeName,
        ["time_exponent"] = Number(TimeExponent),
        ["time_exponent_of_larger"] = Number(TimeExponentOfLarger),
        ["memory_exponent_of_larger"] = Number(MemoryExponentOfLarger),
        ["points"] = new JsonArray([.. Points.Select(p => (JsonNode)new JsonObject
        {
            ["size"] = p.Size,
            ["median_s"] = p.Median,
            ["fast_s"] = p.Fast,
            ["slow_s"] = p.Slow,
            ["calls"] = p.Calls,
            ["memory_bytes"] = p.Bytes,
            ["waited"] = p.Waited,
        })]),
    };

    internal static ScalingCurve FromJson(JsonElement json) => new(
        Text(json, "name"),
        Text(json, "summary"),
        Text(json, "size"),
        [.. json.GetProperty("points").EnumerateArray().Select(p => new ScalingPoint(
            p.GetProperty("size").GetDouble(), p.GetProperty("median_s").GetDouble(), p.GetProperty("fast_s").GetDouble(),
            p.GetProperty("slow_s").GetDouble(), p.GetProperty("calls").GetInt32(), p.GetProperty("memory_bytes").GetDouble(),
            p.TryGetProperty("waited", out var waited) && waited.ValueKind == JsonValueKind.Number ? waited.GetDouble() : null))]);

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString() ?? throw new JsonException($"'{name}' is no text");

    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    private static double Slope(IReadOnlyList<ScalingPoint> points, Func<ScalingPoint, double> value)
    {
        double[] x = [.. points.Select(p => Math.Log(p.Size))], y = [.. points.Select(p => Math.Log(value(p)))];
        if (x.Length < 2)
        {
            return double.NaN;
        }

        double meanX = x.Average(), meanY = y.Average();
        return x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / x.Sum(a => (a - meanX) * (a - meanX));
    }
}
