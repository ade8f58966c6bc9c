using System.Xml.Linq;
using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Benchmarks.Scaling;

namespace Spk.Tests.Benchmarks;

public class ScalingTests
{
    [Test]
    public void The_power_is_that_of_the_points()
    {
        var curve = Quadratic().Curves[0];
        Assert.That(curve.TimeExponent, Is.EqualTo(2).Within(1e-12));
        Assert.That(curve.MemoryExponentOfLarger, Is.EqualTo(1).Within(1e-12));

        // A constant hides small sizes; the larger half tells more.
        var slow = curve with { Points = [.. curve.Points.Select(p => p with { Median = p.Median + 1e-3 })] };
        Assert.That(slow.TimeExponent, Is.LessThan(1.2));
        Assert.That(slow.TimeExponentOfLarger, Is.InRange(1.2, 2));
        Assert.That((curve with { Points = [curve.Points[0]] }).TimeExponent, Is.NaN);
    }

    [Test]
    public void Curves_come_back_from_their_file()
    {
        using var folder = new TemporaryFolder();
        var file = Quadratic();
        file.Write(folder.At("scaling.json"));
        Assert.That(ScalingFile.Read(folder.At("scaling.json")).ToJson().ToJsonString(), Is.EqualTo(file.ToJson().ToJsonString()));
        File.WriteAllText(folder.At("other.json"), """{"machine": {}, "curves": [{"name": "x"}]}""");
        Assert.That(() => ScalingFile.Read(folder.At("other.json")), Throws.TypeOf<DataFormatException>().With.Message.StartsWith(folder.At("other.json")));
        Assert.That(() => ScalingFile.Read(folder.At("none.json")), Throws.TypeOf<DataFormatException>().With.Message.Contains("no such file"));
    }

    [Test]
    public void The_page_is_well_formed_and_shows_every_point()
    {
        string html = ScalingReport.Render(Quadratic());
        var page = XDocument.Parse(html[html.IndexOf("<html", StringComparison.Ordinal)..]);
        Assert.That(page.Descendants().Count(e => e.Name.LocalName == "svg" && e.Attribute("role") is not null), Is.EqualTo(2), "time and memory");
        Assert.That(page.Descendants().Count(e => e.Name.LocalName == "circle"), Is.EqualTo(8));
        Assert.That(html, Does.Contain("6.40 ms"));
    }

    [Test]
    public void An_axis_is_measured_in_rising_sizes()
    {
        var curve = ScalingRun.Measure(new ScalingOptions { Axes = ["classifier"], Threads = 1, Points = 2, Budget = 0.002 }).Single();
        Assert.That(curve.Name, Is.EqualTo("classifier-classes"));
        Assert.That(curve.Points.Select(p => p.Size), Is.EqualTo(new[] { 250.0, 500 }));
        Assert.That(curve.Points.Select(p => p.Median), Is.All.GreaterThan(0));
        Assert.That(curve.Points[1].Bytes, Is.GreaterThan(1.5 * curve.Points[0].Bytes), "twice as many classes");
    }

    [Test]
    public void Every_axis_has_rising_sizes_and_a_name_of_its_own()
    {
        Assert.That(ScalingCatalog.Axes.Select(a => a.Name), Is.Unique);
        foreach (var axis in ScalingCatalog.Axes)
        {
            Assert.That(axis.Sizes, Is.Ordered.Ascending.And.Unique, axis.Name);
        }
    }

    [Test]
    public void Wrong_options_are_refused()
    {
        Assert.That(() => ScalingRun.Measure(new ScalingOptions { Axes = ["kmaens"] }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("'kmaens'"));
        Assert.That(() => ScalingRun.Measure(new ScalingOptions { Budget = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("0 s"));
        Assert.That(() => ScalingRun.Measure(new ScalingOptions { Points = 1 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("at least 2"));
    }

    internal static ScalingFile Quadratic() => new(
        new Dictionary<string, string> { ["device"] = "cpu" },
        [
            new ScalingCurve("pairs-rows", "all pairs", "rows",
                [.. new[] { 10, 20, 40, 80 }.Select(n => new ScalingPoint(n, 1e-6 * n * n, 0.9e-6 * n * n, 1.1e-6 * n * n, 7, 100 * n, 0))]),
        ]);
}
