using System.Text.Json;
using NUnit.Framework;
using Spk.Engine.Models;

namespace Spk.Tests.Support;

/// <summary>
/// Reference values made by PyTorch, torchaudio, scikit-learn and NumPy. They are read from the folder in SPK_GOLDEN, else
/// from ../shared/golden; shapes, parameters and limits come from its index.json. Without the folder a test is skipped.
/// </summary>
public static class Golden
{
    private static readonly Lazy<(string Folder, JsonDocument Index)?> Store = new(Load);

    /// <summary>Names of all cases of one op; a single null entry stands for "no golden folder".</summary>
    /// <remarks>For [TestCaseSource]: yields one skipped case rather than none, so that the absence is counted.</remarks>
    public static IEnumerable<TestCaseData> Cases(params string[] ops)
    {
        if (Store.Value is not { } store)
        {
            yield return new TestCaseData([null]).SetArgDisplayNames("no golden folder");
            yield break;
        }

        foreach (var entry in store.Index.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (ops.Contains(entry.GetProperty("op").GetString()))
            {
                string name = entry.GetProperty("name").GetString()!;
                yield return new TestCaseData(new GoldenCase(store.Folder, entry)).SetArgDisplayNames(name);
            }
        }
    }

    /// <summary>Ends the test as skipped where the folder is absent.</summary>
    public static GoldenCase Require(GoldenCase? golden)
    {
        if (golden is null)
        {
            Assert.Ignore("skipped: no golden folder (set SPK_GOLDEN or place it at ../shared/golden)");
        }

        return golden!;
    }

    public static IReadOnlyList<string> AllOps() => Store.Value is not { } store
        ? []
        : [.. store.Index.RootElement.GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("op").GetString()!).Distinct()];

    private static (string, JsonDocument)? Load()
    {
        string? named = Environment.GetEnvironmentVariable("SPK_GOLDEN");
        string folder = string.IsNullOrEmpty(named) ? Repository.Path("..", "shared", "golden") : Path.GetFullPath(named, Repository.Root);
        string index = Path.Combine(folder, "index.json");
        return File.Exists(index) ? (folder, JsonDocument.Parse(File.ReadAllText(index))) : null;
    }
}

/// <summary>One reference case: named inputs, parameters, outputs and their limits.</summary>
public sealed class GoldenCase(string folder, JsonElement entry)
{
    public string Name => entry.GetProperty("name").GetString()!;

    public string Op => entry.GetProperty("op").GetString()!;

    public bool HasParam(string name) => entry.GetProperty("params").TryGetProperty(name, out _);

    public double Number(string param) => entry.GetProperty("params").GetProperty(param).GetDouble();

    public int Integer(string param) => entry.GetProperty("params").GetProperty(param).GetInt32();

    public bool Flag(string param) => entry.GetProperty("params").GetProperty(param).GetBoolean();

    public string Text(string param) => entry.GetProperty("params").GetProperty(param).GetString()!;

    public int[] Integers(string param) => [.. entry.GetProperty("params").GetProperty(param).EnumerateArray().Select(e => e.GetInt32())];

    public bool HasInput(string name) => entry.GetProperty("inputs").TryGetProperty(name, out _);

    public bool HasOutput(string name) => entry.GetProperty("outputs").TryGetProperty(name, out _);

    public IEnumerable<string> Outputs => entry.GetProperty("outputs").EnumerateObject().Select(p => p.Name);

    public NpyArray Input(string name) => Array(entry.GetProperty("inputs").GetProperty(name));

    public NpyArray Output(string name) => Array(entry.GetProperty("outputs").GetProperty(name));

    /// <summary>Compares a result with the reference output of that name, within the single-precision limit.</summary>
    public void AssertOutput(string name, ReadOnlySpan<float> got)
    {
        var doubles = new double[got.Length];
        for (int i = 0; i < got.Length; i++)
        {
            doubles[i] = got[i];
        }

        AssertOutput(name, doubles, "f32");
    }

    /// <summary>Compares a result with the reference output of that name.</summary>
    /// <param name="name">Output name.</param>
    /// <param name="got">Elements in the reference's order.</param>
    /// <param name="precision">"f32" or "f64": which limit applies.</param>
    public void AssertOutput(string name, ReadOnlySpan<double> got, string precision)
    {
        var want = Output(name).Values;
        var tolerances = entry.GetProperty("tolerance");
        var tolerance = tolerances.TryGetProperty(name, out var own) ? own : tolerances.GetProperty("default");
        string kind = tolerance.GetProperty("kind").GetString()!;
        double limit = kind == "exact" ? 0 : tolerance.GetProperty(precision).GetDouble();
        if (kind == "maxrel")
        {
            limit *= want.Max(Math.Abs);
        }

        Close.Assert(got, want, limit, $"{Name}: {name}");
    }

    private NpyArray Array(JsonElement value) => value.ValueKind == JsonValueKind.String
        ? NpyFile.Read(Path.Combine(folder, value.GetString()!))
        : new NpyArray([], [value.GetDouble()]);
}
