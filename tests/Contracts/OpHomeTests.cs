using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>An op has one home: the files that docs/ops.md promises exist, and nothing lives outside the list.</summary>
public class OpHomeTests
{
    private static readonly string[] Stages = ["Audio", "Features", "Encoder", "Loss", "Optim", "Cluster", "Score"];

    public static IEnumerable<TestCaseData> DoneOps() =>
        Table().Where(row => row.Status == "done").Select(row => new TestCaseData(row.Stage, row.Op).SetArgDisplayNames(row.Op));

    [TestCaseSource(nameof(DoneOps))]
    public void Op_has_all_its_files(string stage, string op)
    {
        string[] home =
        [
            $"src/Spk.Engine/Ops/{stage}/{op}.cs",
            $"src/Spk.Engine/Ops/{stage}/{op}.Cpu.cs",
            $"src/Spk.Engine/Ops/{stage}/{op}.Cuda.cs",
            $"engine/kernels/{Lower(stage)}/{Lower(op)}.cu",
            $"tests/Ops/{stage}/{op}Tests.cs",
            $"bench/Ops/{stage}/{op}Bench.cs",
        ];
        string[] missing = [.. home.Where(file => !File.Exists(Repository.Path(file)))];
        Assert.That(missing, Is.Empty, $"{op} is marked done in docs/ops.md");
    }

    [TestCaseSource(nameof(DoneOps))]
    public void Op_is_proven_on_all_devices(string stage, string op) =>
        Assert.That(File.ReadAllText(Repository.Path($"tests/Ops/{stage}/{op}Tests.cs")), Does.Contain("nameof(TestDevice.All)"));

    [Test]
    public void Every_cpu_side_is_listed_as_done()
    {
        var listed = Table().Where(row => row.Status == "done").Select(row => $"{row.Stage}/{row.Op}").ToHashSet();
        string folder = Repository.Path("src", "Spk.Engine", "Ops");
        // A CPU side without a public face is a helper of several ops.
        var found = Directory.EnumerateFiles(folder, "*.Cpu.cs", SearchOption.AllDirectories)
            .Where(file => File.Exists(file.Replace(".Cpu.cs", ".cs", StringComparison.Ordinal)))
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/')[..^".Cpu.cs".Length]);
        Assert.That(found.Except(listed), Is.Empty, "ops without a row in docs/ops.md");
    }

    [Test]
    public void The_table_uses_known_stages_and_states()
    {
        var table = Table().ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(table.Select(row => row.Stage).Distinct(), Is.EqualTo(Stages), "stages, in the order data meets them");
            Assert.That(table.Select(row => row.Status), Is.All.AnyOf("done", "later"));
            Assert.That(table.Select(row => row.Op), Is.Unique);
        });
    }

    // ConvolveRir is convolve_rir among the kernels.
    private static string Lower(string name) =>
        string.Concat(name.Select((c, i) => i > 0 && char.IsUpper(c) ? "_" + char.ToLowerInvariant(c) : char.ToLowerInvariant(c).ToString()));

    private static IEnumerable<(string Stage, string Op, string Status)> Table() =>
        from line in File.ReadLines(Repository.Path("docs", "ops.md"))
        let cells = line.Split('|', StringSplitOptions.TrimEntries)
        where cells.Length == 6 && cells[1] is not ("stage" or "---")
        select (cells[1], cells[2], cells[3]);
}
