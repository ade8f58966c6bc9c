using System.Text.Json.Nodes;
using System.Xml;
using System.Xml.Linq;
using NUnit.Framework;
using Spk.Tests.Evaluation;
using Spk.Tests.Support;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Reproduction;

namespace Spk.Tests.Reproduction;

public class ReproductionReportTests
{
    private static readonly XNamespace Html = "http://www.w3.org/1999/xhtml";

    [Test]
    public void The_page_has_its_parts_in_order()
    {
        string[] lines = ReproductionReport.Make(Invented(), "spk reproduce tiny --seeds 1,2").ToMarkdown().Split('\n');
        string[] structure = [.. lines.Where(l => l.StartsWith('#') || l.StartsWith("```sh", StringComparison.Ordinal) || l.StartsWith("spk ", StringComparison.Ordinal) || IsHead(l))];
        Assert.That(structure, Is.EqualTo(new[]
        {
            "# A tiny experiment",
            "## Claims",
            "|  | claim | voices |",
            "## Voices: few voices",
            "| system | EER by seed | EER | minDCF 0.01 | false negatives | false positives | cosine, same speaker | cosine, different speakers | scatter ratio |",
            "| system | cosine of positives |",
            "| claim | measure | system | compared with | difference | 95 % interval | by seed | verdict |",
            "| claim | source | system EER | compared with | difference | 95 % interval | verdict |",
            "## How it was made",
            "```sh",
            "spk reproduce tiny --seeds 1,2",
            "| corpus | system | differs by | runs | steps | seconds a run | device |",
        }));
        Assert.That(lines, Has.Some.EqualTo("nobody: nothing \\| never"));
        Assert.That(lines, Has.Some.EqualTo("| 1 | The margin lowers the EER. | **reproduced** |"));
        Assert.That(lines.Count(l => l.StartsWith("| continued ", StringComparison.Ordinal)), Is.EqualTo(4), "stages have no row in the tables of systems");
        Assert.That(lines, Has.Some.StartsWith("| The margin lowers the EER. | so | "));

        bool IsHead(string line) => Array.IndexOf(lines, line) is var i && i + 1 < lines.Length && lines[i + 1].StartsWith("| --", StringComparison.Ordinal) && line.StartsWith('|');
    }

    [Test]
    public void The_html_page_says_the_same_and_needs_nothing_else()
    {
        var page = ReproductionReport.Make(Invented(), "spk reproduce tiny");
        string html = page.ToHtml();
        using var reader = XmlReader.Create(new StringReader(html), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        var document = XDocument.Load(reader);
        Assert.That(document.Descendants(Html + "section").Count(), Is.EqualTo(3));
        Assert.That(document.Descendants(Html + "table").Count(), Is.EqualTo(6));
        Assert.That(document.Descendants(Html + "figure").Select(f => f.Element(Html + "h2")!.Value), Is.EqualTo(new[]
        {
            "Equal error rates", "Differences of the EER, by claim", "Scores of plain, seed 1", "Scores of margin, seed 1",
        }));
        Assert.That(document.Descendants(Html + "td").First(t => (string?)t.Attribute("class") == "verdict yes").Value, Is.EqualTo("reproduced"));
        Assert.That(document.Descendants().SelectMany(e => e.Attributes()).Select(a => a.Name.LocalName), Has.No.AnyOf("href", "src"));
        Assert.That(html, Does.Not.Contain("NaN").And.Not.Contain("url(").And.Not.Contain("<script"));
        foreach (string line in page.ToMarkdown().Split('\n').Where(l => l.StartsWith('|') && !l.StartsWith("| --", StringComparison.Ordinal)))
        {
            foreach (string cell in line.Trim('|', ' ').Split(" | "))
            {
                Assert.That(document.Root!.Value, Does.Contain(cell.Trim('*', ' ')));
            }
        }
    }

    [Test]
    public void The_files_hold_all_figures()
    {
        using var folder = new TemporaryFolder();
        var files = ReproductionFiles.Write(folder.Root, Invented(), "spk reproduce tiny");
        Assert.That(new[] { files.Markdown, files.Html, files.Json }.Select(Path.GetFileName), Is.EqualTo(new[] { "tiny.md", "tiny.html", "tiny.json" }));
        var corpus = JsonNode.Parse(File.ReadAllText(files.Json))!["corpora"]![0]!;
        var claim = corpus["claims"]![0]!;
        Assert.That((string?)claim["verdict"], Is.EqualTo("reproduced"));
        Assert.That((double)claim["interval"]![1]!, Is.LessThan(0));
        Assert.That(claim["seeds"]!.AsArray(), Has.Count.EqualTo(2));
        Assert.That(claim["sources"]!.AsArray().Select(s => (string?)s!["name"]), Is.EqualTo(new[] { "ar", "so" }));
        var run = corpus["systems"]![2]!["runs"]![1]!;
        Assert.That((ulong)run["seed"]!, Is.EqualTo(2));
        Assert.That((double)run["eer"]!, Is.EqualTo((double)claim["seeds"]![1]!["value"]!));
        Assert.That((double?)corpus["claims"]![1]!["limit"], Is.EqualTo(-2));
        Assert.That(corpus["claims"]![1]!["interval"], Is.Null);
        Assert.That((double)run["quantities"]!["cosPositive"]!, Is.EqualTo(0.5));
    }

    /// <summary>Findings of two seeds on invented scores, in two sources of trials; the margin is better.</summary>
    private static Findings Invented()
    {
        var experiment = TinyExperiment.Make(1, 2);
        var corpus = experiment.Corpora[0];
        using var folder = new TemporaryFolder();
        var session = ExperimentSession.Open(experiment, TinyExperiment.In(folder.Root));
        foreach (var run in session.Runs)
        {
            var (trials, table) = TrialEvaluationTests.Voices(speakers: 20, utterances: 5, noise: (run.System.Name == "margin" ? 1f : 2f) + (0.1f * run.Seed));
            new TrialList(trials).Write(TrialPath(run));
            run.Folder.Create();
            ScoreFile.Write(run.Folder.Scores, trials, TrialEvaluation.Score(trials, table));
            new RunFigures { Steps = 7, Seconds = 1.5, UtterancesPerSecond = 3, Device = "cpu", Quantities = new Dictionary<string, double> { ["cosPositive"] = 0.5 } }.Write(run.Figures);
        }

        return session.Judge();
    }

    private static string TrialPath(SystemRun run)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(RunTrials.Source(run))!);
        return RunTrials.Source(run);
    }
}
