using System.Text.RegularExpressions;
using System.Xml.Linq;
using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Benchmarks;
using Spk.Training.Benchmarks.Page;

namespace Spk.Tests.Benchmarks;

public partial class BenchmarkPageTests
{
    // A folder from the root, or on a drive.
    [GeneratedRegex(@"(?<![\w.:/])/[\w.-]+/[\w.-]+|\b[A-Z]:\\")]
    private static partial Regex AbsolutePath();

    private static readonly string Results = Repository.Path("bench", "Results");

    [Test]
    public void The_page_is_made_of_the_results()
    {
        var page = BenchmarkPage.Make(Results, "benchmarks");
        const string command = "run `spk bench report bench/Results --out docs/benchmarks.md`";
        Assert.That(File.ReadAllText(Repository.Path("docs", "benchmarks.md")), Is.EqualTo(page.Markdown), command);
        string folder = Repository.Path("docs", "benchmarks");
        string[] drawings = Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)] : [];
        Assert.That(drawings, Is.EqualTo(page.Drawings.Keys.Order(StringComparer.Ordinal)), command);
        foreach (var (name, drawing) in page.Drawings)
        {
            Assert.That(File.ReadAllText(Path.Combine(folder, name)), Is.EqualTo(drawing), $"{name}: {command}");
            Assert.That(() => XDocument.Parse(drawing), Throws.Nothing, name);
        }
    }

    [TestCase("spk bench --save /data/someone/x.json", ExpectedResult = true)]
    [TestCase(@"spk bench --save C:\\results\\x.json", ExpectedResult = true)]
    [TestCase("\"unit\": \"point-iterations/s\", 1/2/3, bench/Results/20-cpu", ExpectedResult = false)]
    public bool Absolute_paths_are_known(string text) => AbsolutePath().IsMatch(text);

    [Test]
    public void Results_name_no_folder_and_no_machine()
    {
        foreach (string file in Directory.EnumerateFiles(Results, "*.json", SearchOption.AllDirectories))
        {
            Assert.That(AbsolutePath().Matches(File.ReadAllText(file)).Select(match => match.Value), Is.Empty, file);
        }
    }

    [Test]
    public void Runs_stand_beside_the_peers_run_of_their_number()
    {
        using var folder = new TemporaryFolder();
        string section = Directory.CreateDirectory(folder.At("10-cpu")).FullName;
        File.WriteAllText(folder.At("README.md"), "not shown");
        File.WriteAllText(folder.At("00-head.md"), "# Head\n");
        File.WriteAllText(folder.At("90-end.md"), "the end\n");
        File.WriteAllText(Path.Combine(section, "intro.md"), "## CPU\n");
        File.WriteAllText(Path.Combine(section, "notes.md"), "a remark\n");
        var first = Ours(2, 1.0, waited: 0);
        (first with { Results = [.. first.Results, .. first.Results, .. Ours(2, 1.0, waited: 0.3).Results] }).Write(Path.Combine(section, "ours-1.json"));
        var second = Ours(2, 0.5, waited: 0.25);
        (second with { Results = [.. second.Results, .. Ours(2, 0.5, waited: 0.5).Results, .. Ours(2, 0.5, waited: 0).Results] }).Write(Path.Combine(section, "ours-2.json"));
        File.WriteAllText(Path.Combine(section, "peers-1.json"), """{"versions": {"torch": "9.1", "faiss": null}, "results": [{"case": "sort_numpy", "params": {"N": 8}, "threads": 2, "throughput": 50, "median_s": 2, "min_s": 1.6}, {"case": "sort_numpy", "params": {"N": 8}, "threads": 1, "throughput": 5000}]}""");
        File.WriteAllText(Path.Combine(section, "peers-2.json"), """{"case": "sort_numpy", "params": {"N": 8}, "threads": 2, "throughput": 160}""");
        File.WriteAllText(Path.Combine(section, "peers-stored.json"), """[{"case": "sort_best", "params": {"N": 8}, "threads": 2, "throughput": 400}]""");
        var page = BenchmarkPage.Make(folder.Root, "page");
        Assert.That(page.Drawings, Is.Empty);
        Assert.That(page.Markdown, Does.Not.Contain("not shown"));
        string[] lines = page.Markdown.Split('\n');
        Assert.That(lines, Has.Member("| `sort` | N 8 | items/s | sort_best | 50.0 / 160 | 25 % / – | 100 / 200 | 25 % / 25 % | 2.00 / 1.25 | 0.50 |"));
        Assert.That(lines, Has.Member("| `sort` | N 8 | 1.00 s / 500 ms | 450 ms – 1.20 s | 400 ms | 20 | 16 | – | 80 % | 0 B |"));
        Assert.That(lines, Has.Member("- peers, run 1: torch 9.1"));
        Assert.That(lines, Has.Member("- run 2: 2026-01-02, `spk bench sort`; the machine was busy, each thread waited 0.25 s a second, in one case 0.50"));
        Assert.That(lines, Has.Member("- run 1: 2026-01-02, `spk bench sort`; the machine was idle but for 1 of 3 measurements, in which each thread waited up to 0.30 s a second"));
        Assert.That(page.Markdown.IndexOf("# Head", StringComparison.Ordinal), Is.LessThan(page.Markdown.IndexOf("## CPU", StringComparison.Ordinal)));
        Assert.That(page.Markdown, Does.EndWith("a remark\n\nthe end\n"));
    }

    [Test]
    public void Curves_become_a_table_and_drawings()
    {
        using var folder = new TemporaryFolder();
        string section = Directory.CreateDirectory(folder.At("results", "10-growth")).FullName;
        File.WriteAllText(Path.Combine(section, "intro.md"), "## Growth");
        ScalingTests.Quadratic().Write(Path.Combine(section, "scaling.json"));
        BenchmarkPage.Write(folder.At("results"), folder.At("page.md"));
        string text = File.ReadAllText(folder.At("page.md"));
        Assert.That(text, Does.Contain("![pairs-rows: time by rows](page/growth-pairs-rows.svg)"));
        Assert.That(text, Does.Contain("| `pairs-rows` | all pairs | rows, 10 – 80 | 100 us – 6.40 ms | 2.00 | 2.00 | 1000 B – 7.81 KiB | 1.00 |"));
        Assert.That(XDocument.Load(folder.At("page", "growth-pairs-rows.svg")).Root!.Name.LocalName, Is.EqualTo("svg"));
    }

    [Test]
    public void Folders_that_are_no_results_are_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => BenchmarkPage.Make(folder.At("none"), "page"), Throws.TypeOf<DataFormatException>().With.Message.Contains("no such folder"));
        string results = Directory.CreateDirectory(folder.At("results")).FullName, section = Path.Combine(results, "10-cpu");
        Assert.That(() => BenchmarkPage.Make(results, "page"), Throws.TypeOf<DataFormatException>().With.Message.Contains("no texts"));
        Directory.CreateDirectory(section);
        Assert.That(() => BenchmarkPage.Make(results, "page"), Throws.TypeOf<DataFormatException>().With.Message.Contains("intro.md"));
        File.WriteAllText(Path.Combine(section, "intro.md"), "## CPU");
        File.WriteAllText(Path.Combine(section, "other.json"), "{}");
        Assert.That(() => BenchmarkPage.Make(results, "page"), Throws.TypeOf<DataFormatException>().With.Message.Contains("ours-1.json"));
    }

    private static BenchmarkFile Ours(int threads, double seconds, double waited) => new(
        new Dictionary<string, string> { ["device"] = "cpu", ["threads"] = $"{threads}", ["date"] = "2026-01-02", ["command"] = "spk bench sort" },
        [
            new BenchmarkResult
            {
                Name = "sort",
                Sizes = [new("N", 8)],
                Precision = Precision.Fp32,
                Cold = false,
                Median = seconds,
                Fast = 0.9 * seconds,
                Slow = 1.2 * seconds,
                Least = 0.8 * seconds,
                Calls = 10,
                Unit = "items/s",
                Work = 100,
                AllocatedBytes = 0,
                Bytes = 8e9,
                ShareOfBound = 0.4 / seconds,
                Pace = new MachinePace(1e-4, 1e-4, waited),
            },
        ]);
}
