using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Engine.Devices;

namespace Spk.Training.Benchmarks;

/// <summary>Measured times of one case.</summary>
public sealed record BenchmarkResult
{
    /// <summary>Name of the case.</summary>
    public required string Name { get; init; }

    /// <summary>Its sizes.</summary>
    public required IReadOnlyList<CaseSize> Sizes { get; init; }

    /// <summary>Arithmetic of products.</summary>
    public required Precision Precision { get; init; }

    /// <summary>Whether caches were emptied before each call.</summary>
    public required bool Cold { get; init; }

    /// <summary>Seconds a call, the median.</summary>
    public required double Median { get; init; }

    /// <summary>Seconds that one call in ten stayed below: what the machine does while nothing disturbs it.</summary>
    public required double Fast { get; init; }

    /// <summary>Seconds of the fastest call; 0 where nobody noted them.</summary>
    public double Least { get; init; }

    /// <summary>Seconds of all processors together for a call, of which a quarter of the calls took less; 0 where nobody counted.</summary>
    public double Processor { get; init; }

    /// <summary>Seconds that nine calls in ten stayed below.</summary>
    public required double Slow { get; init; }

    /// <summary>Calls that were timed.</summary>
    public required int Calls { get; init; }

    /// <summary>Unit of work per second.</summary>
    public required string Unit { get; init; }

    /// <summary>Work of a call, in the unit.</summary>
    public required double Work { get; init; }

    /// <summary>Bytes of managed memory that a call allocates.</summary>
    public required double AllocatedBytes { get; init; }

    /// <summary>Bytes a call must move at least; 0 where nobody counted.</summary>
    public double Bytes { get; init; }

    /// <summary>Floating-point operations of a call; 0 where nobody counted.</summary>
    public double Operations { get; init; }

    /// <summary>The least time the machine could need for these bytes and operations, as a share of the median; null where unknown.</summary>
    public double? ShareOfBound { get; init; }

    /// <summary>How fast the machine was meanwhile; null where nothing told.</summary>
    public MachinePace? Pace { get; init; }

    /// <summary>Work per second, by the median.</summary>
    public double Throughput => Work / Median;

    /// <summary>What makes two results comparable: name, sizes, precision, cache.</summary>
    public string Key => KeyOf(Name, Sizes, Precision, Cold);

    /// <summary>The sizes in a line.</summary>
    public string SizesText => string.Join(", ", Sizes);

    /// <summary>The same with its share of what a machine can do at most.</summary>
    /// <param name="ceilings">The machine; null where it is unknown.</param>
    public BenchmarkResult WithBound(MachineCeilings? ceilings) =>
        this with { ShareOfBound = ceilings?.Bound(Bytes, Operations, Precision) is > 0 and { } bound ? bound / Median : null };

    internal static string KeyOf(string name, IReadOnlyList<CaseSize> sizes, Precision precision, bool cold) =>
        $"{name} [{string.Join(", ", sizes)}] {precision.ToString().ToLowerInvariant()}{(cold ? " cold" : "")}";

    /// <summary>All figures.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["case"] = Name,
            ["params"] = new JsonObject(Sizes.Select(s => KeyValuePair.Create(s.Name, (JsonNode?)s.Value))),
            ["precision"] = Precision.ToString().ToLowerInvariant(),
            ["cold"] = Cold,
            ["median_s"] = Median,
            ["fast_s"] = Fast,
            ["slow_s"] = Slow,
            ["calls"] = Calls,
            ["unit"] = Unit,
            ["work"] = Work,
            ["throughput"] = Throughput,
            ["allocated_bytes"] = AllocatedBytes,
        };
        if (Least > 0)
        {
            json["least_s"] = Least;
        }

        if (Processor > 0)
        {
            json["processor_s"] = Processor;
        }

        if (Bytes > 0)
        {
            json["bytes"] = Bytes;
            json["gb_per_s"] = 1e-9 * Bytes / Median;
        }

        if (Operations > 0)
        {
            json["operations"] = Operations;
            json["gflop_per_s"] = 1e-9 * Operations / Median;
        }

        if (ShareOfBound is { } share)
        {
            json["share_of_bound"] = share;
        }

        if (Pace is { } pace)
        {
            json["pace_clock_s"] = pace.Clock;
            json["pace_s"] = pace.Processor;
            json["waited"] = pace.Waited;
        }

        return json;
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The object.</param>
    /// <exception cref="JsonException">A figure is missing or of the wrong kind.</exception>
    public static BenchmarkResult FromJson(JsonElement json)
    {
        double Number(string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : throw new JsonException($"'{name}' is missing or no number");
        string Text(string name) => json.TryGetProperty(name, out var value) && value.GetString() is { } text ? text : throw new JsonException($"'{name}' is missing");
        double Optional(string name) => json.TryGetProperty(name, out _) ? Number(name) : 0;
        return new BenchmarkResult
        {
            Name = Text("case"),
            Sizes = [.. json.GetProperty("params").EnumerateObject().Select(p => new CaseSize(p.Name, p.Value.GetDouble()))],
            Precision = Enum.TryParse<Precision>(Text("precision"), ignoreCase: true, out var precision) ? precision : throw new JsonException("'precision' is unknown"),
            Cold = json.GetProperty("cold").GetBoolean(),
            Median = Number("median_s"),
            Fast = Number("fast_s"),
            Least = Optional("least_s"),
            Processor = Optional("processor_s"),
            Slow = Number("slow_s"),
            Calls = (int)Number("calls"),
            Unit = Text("unit"),
            Work = Number("work"),
            AllocatedBytes = Number("allocated_bytes"),
            Bytes = Optional("bytes"),
            Operations = Optional("operations"),
            Pace = Optional("pace_clock_s") is > 0 and { } pace ? new MachinePace(pace, Number("pace_s"), Number("waited")) : null,
            ShareOfBound = json.TryGetProperty("share_of_bound", out _) ? Number("share_of_bound") : null,
        };
    }
}
