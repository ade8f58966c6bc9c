using System.Xml;
using System.Xml.Linq;
using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Evaluation;
using Spk.Tests.Support;
using Spk.Training.Evaluation;
using Spk.Training.Reports;

namespace Spk.Tests.Reports;

public class HtmlReportTests
{
    private static readonly XNamespace Html = "http://www.w3.org/1999/xhtml", Svg = "http://www.w3.org/2000/svg";

    [Test]
    public void A_full_report_is_well_formed_and_holds_the_figures()
    {
        var data = Sample();
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, "report.html");
        HtmlReport.Write(path, data);
        TestContext.AddTestAttachment(path, "a sample report, for the eye");
        string html = File.ReadAllText(path);
        var page = Parse(html);

        string text = page.Root!.Value;
        var after = data.After!;
        foreach (string wanted in new[]
        {
            data.Title, Format.Percent(after.Eer), Format.Percent(data.Before!.Eer), Format.Fixed(after.MinDcf01), Format.Fixed(after.MinDcf05),
            Format.Percent(after.EerInterval!.Value), "temperature: 0.1", "& <script>alert(1)</script>",
        })
        {
            Assert.That(text, Does.Contain(wanted));
        }

        string[] titles = [.. page.Descendants(Html + "figure").Select(f => f.Element(Html + "h2")!.Value)];
        Assert.That(titles, Is.EqualTo(new[]
        {
            "Training loss", "Equal error rate", "Cosines in the batch", "Learning rate", "Scores untrained", "Scores trained", "Detection error trade-off", "Embedding map",
        }));
        Assert.That(page.Descendants(Svg + "path").Count(p => (string?)p.Attribute("class") == "mark"), Is.EqualTo(data.Map.Count + 12), "one mark a point, and twelve in the legend");
    }

    [Test]
    public void The_page_needs_nothing_else_and_runs_nothing()
    {
        string html = HtmlReport.Render(Sample());
        var page = Parse(html);
        string[] names = [.. page.Descendants().Select(e => e.Name.LocalName).Distinct()];
        Assert.That(names, Has.No.AnyOf("script", "link", "img", "iframe", "object"));
        Assert.That(page.Descendants().SelectMany(e => e.Attributes()).Select(a => a.Name.LocalName), Has.None.StartsWith("on").And.No.AnyOf("href", "src"));
        Assert.That(html, Does.Not.Contain("url(").And.Not.Contain("@import").And.Not.Contain("NaN"));
        Assert.That(html, Does.Contain("prefers-color-scheme: dark"));
        Assert.That(HtmlReport.Render(Sample()), Is.EqualTo(html), "the same data gives the same page");
    }

    [Test]
    public void A_report_of_a_title_alone_is_a_page()
    {
        var page = Parse(HtmlReport.Render(new ReportData { Title = "empty" }));
        Assert.That(page.Descendants(Html + "figure"), Is.Empty);
        Assert.That(page.Descendants(Html + "h1").Single().Value, Is.EqualTo("empty"));
    }

    [Test]
    public void Odd_curves_do_not_break_the_page()
    {
        ReportPoint[] odd = [new(0, double.NaN), new(1, 2), new(2, double.PositiveInfinity)];
        string html = HtmlReport.Render(new ReportData
        {
            Title = "odd",
            Loss = odd,
            LearningRate = [new(1, 1e-5), new(2, 1e-5)],
            EerByEpoch = [new ReportSeries("all", [])],
            Map = [new MapPoint(0, 0, "a", "a/1")],
        });
        Assert.That(Parse(html).Descendants(Html + "figure").Count(), Is.EqualTo(3));
        Assert.That(html, Does.Not.Contain("NaN").And.Not.Contain("∞").And.Not.Contain("Infinity"));
    }

    [TestCase(0.9f, 0.1f)]
    [TestCase(0.1f, 0.9f)]
    [TestCase(0.5f, 0.5f)]
    public void Rates_outside_the_axes_still_give_a_report(float same, float different)
    {
        Spk.Training.Data.Trial[] trials = [new(true, "a1/x", "a1/y"), new(false, "a1/x", "b1/z")];
        string html = HtmlReport.Render(new ReportData { Title = "extreme", After = TrialEvaluation.Run(trials, [same, different]) });
        Assert.That(() => Parse(html), Throws.Nothing);
        Assert.That(html, Does.Not.Contain("NaN").And.Not.Contain("∞").And.Not.Contain("Infinity"));
    }

    [Test]
    public void An_unwritable_place_is_named() => Assert.That(
        () => HtmlReport.Write(Path.Combine(typeof(HtmlReportTests).Assembly.Location, "report.html"), new ReportData { Title = "x" }),
        Throws.TypeOf<SpkException>().With.Message.Contains("report.html"));

    [TestCase(0, 3.7, new[] { "0", "1", "2", "3", "4" })]
    [TestCase(0.00001, 0.0005, new[] { "0", "1e−4", "2e−4", "3e−4", "4e−4", "5e−4" })]
    [TestCase(-0.2, 0.9, new[] { "−0.2", "0", "0.2", "0.4", "0.6", "0.8", "1.0" })]
    [TestCase(0, 60000, new[] { "0", "10\u202Fk", "20\u202Fk", "30\u202Fk", "40\u202Fk", "50\u202Fk", "60\u202Fk" })]
    public void Ticks_are_round(double low, double high, string[] labels) =>
        Assert.That(Axis.Linear(low, high).Ticks.Select(t => t.Label), Is.EqualTo(labels));

    /// <summary>A run as a trainer would describe it.</summary>
    internal static ReportData Sample()
    {
        var (trials, good) = TrialEvaluationTests.Voices(speakers: 40, utterances: 8, noise: 1.1f);
        var (_, bad) = TrialEvaluationTests.Voices(speakers: 40, utterances: 8, noise: 2.6f);
        var noise = Samples.Normal(1, 2000);
        var loss = Enumerable.Range(0, 696).Select(s => new ReportPoint(s, 3 + (2.8 * Math.Exp(-s / 140.0)) + (0.12 * noise[s])));
        int[] epochs = [0, 4, 8, 12, 16, 20, 24];
        ReportSeries Rates(string name, params double[] rates) => new(name, [.. epochs.Select((e, i) => new ReportPoint(e, rates[i] / 100))]);
        return new ReportData
        {
            Title = "openvoices-simclr-am, seed 1",
            Subtitle = "SimCLR with NT-Xent-AM on openvoices; 20 November 2026, 23:15",
            Warnings = ["A sample: the numbers of this page are invented."],
            Summary =
            [
                new("recipe", "recipes/openvoices-simclr-am.yaml"), new("device", "cpu, 2 threads, AVX-512"), new("encoder", "tdnn 128, 307 328 parameters"),
                new("training", "24 epochs, 696 steps, 1865 utterances"), new("duration", "1 min 32 s, 486 utterances/s"), new("seed", "1"),
                new("trials", "trials.txt, CRC-32C 5f2a9c1e"), new("note", "& <script>alert(1)</script>"),
            ],
            Before = TrialEvaluation.Run(trials, bad),
            BeforeName = "untrained",
            After = TrialEvaluation.Run(trials, good),
            AfterName = "trained",
            Loss = [.. loss],
            LearningRate = [.. Enumerable.Range(0, 697).Select(s => new ReportPoint(s, 1e-5 + (0.5 * 4.9e-4 * (1 + Math.Cos(Math.PI * s / 696)))))],
            EerByEpoch = [Rates("all", 26.6, 17.9, 14.8, 15.3, 15.6, 14.5, 14.6), Rates("so", 26.9, 18.7, 15.3, 14.5, 13.9, 14.5, 13.1), Rates("ar", 23.9, 17, 12.7, 14.3, 13, 12.1, 12.2)],
            Charts =
            [
                new ReportChart(
                    "Cosines in the batch",
                    "step",
                    [
                        new ReportSeries("positives", [.. Enumerable.Range(0, 696).Select(s => new ReportPoint(s, 0.57 - (0.2 * Math.Exp(-s / 200.0)) + (0.015 * noise[s + 700])))]),
                        new ReportSeries("negatives", [.. Enumerable.Range(0, 696).Select(s => new ReportPoint(s, 0.15 + (0.2 * Math.Exp(-s / 100.0)) + (0.01 * noise[s + 1300])))]),
                    ]),
            ],
            Map = EmbeddingMap.Compute(good),
            Recipe = "data:\n  root: ../shared/data/openvoices\nobjective:\n  kind: simclr\n  temperature: 0.1\n  margin: { kind: am, value: 0.1 }\n",
        };
    }

    private static XDocument Parse(string html)
    {
        using var reader = XmlReader.Create(new StringReader(html), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XDocument.Load(reader);
    }
}
