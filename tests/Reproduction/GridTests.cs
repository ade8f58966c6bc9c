using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.PseudoLabelling;
using Spk.Training.Reproduction;

namespace Spk.Tests.Reproduction;

public class GridTests
{
    private static readonly Measure Quality = Measure.Quantity("quality", "quality");

    [Test]
    public void Pearson_is_that_of_the_textbook()
    {
        Assert.That(GridMaker.Pearson([1, 2, 3, 4], [2, 4, 6, 8]), Is.EqualTo(1).Within(1e-12));
        Assert.That(GridMaker.Pearson([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]), Is.EqualTo(0.8).Within(1e-12));
        Assert.That(GridMaker.Pearson([1, 2, double.NaN, 3, 4, 5], [2, 1, 7, 4, 3, 5]), Is.EqualTo(0.8).Within(1e-12), "what is not known is left out");
        Assert.That(GridMaker.Pearson([1, 1, 1], [1, 2, 3]), Is.NaN);
        Assert.That(GridMaker.Pearson([1, 2], [1, 2]), Is.NaN);
    }

    [Test]
    public void Intervals_hold_the_value_and_draw_seeds_of_a_row_together()
    {
        GridRow[] rows = [.. Enumerable.Range(0, 20).Select(i => Row($"r{i}", 1, i, 0.3 - (0.01 * i) + (0.02 * (i % 3))))];
        double R(IReadOnlyList<GridRow> of) => GridMaker.Pearson([.. of.Select(r => r.Quantities["quality"])], [.. of.Select(r => r.Eers[0])]);
        var interval = GridMaker.Bootstrap(rows, R)!.Value;
        Assert.That(R(rows), Is.LessThan(-0.8).And.InRange(interval.Low, interval.High));
        Assert.That(interval.High, Is.LessThan(-0.5));
        GridRow[] twice = [.. rows, .. rows.Select(r => r with { Seed = 2 })];
        var again = GridMaker.Bootstrap(twice, R)!.Value;
        Assert.That(new[] { again.Low, again.High }, Is.EqualTo(new[] { interval.Low, interval.High }).Within(1e-9), "the same rows in another seed are no new rows");
        Assert.That(GridMaker.Bootstrap(rows[..3], R), Is.Null);
    }

    [Test]
    public void A_system_is_trained_on_the_clusters_of_another()
    {
        using var folder = new TemporaryFolder();
        var experiment = Experiment();
        var session = ExperimentSession.Open(experiment, TinyExperiment.In(folder.Root));
        session.MakeCorpora();
        using var device = new CpuDevice(1);
        Assert.That(() => session.Execute(session.Runs[1], device), Throws.TypeOf<InvalidOperationException>().With.Message.Contains("not finished"));
        foreach (var run in session.Runs)
        {
            session.Execute(run, device);
        }

        Assert.That(session.Runs[1].Recipe.Data.Labels.File, Does.EndWith("kmeans-0.5S-unit.csv"));
        var corpus = session.Judge().Corpora.Single();
        var grid = corpus.Grid!;
        Assert.That(grid.Rows.Select(r => r.Row), Is.EqualTo(new[] { "kmeans-0.5S-unit", "kmeans-1S-unit" }));
        Assert.That(grid.Rows.Select(r => r.Quantities["label.clusters"]), Is.EqualTo(new double[] { 2, 4 }));
        Assert.That(grid.Rows.SelectMany(r => r.Eers), Is.All.InRange(0, 1));
        Assert.That(grid.Grid.Columns, Is.EqualTo(new[] { "plain", "mixed" }), "a column without runs is left out");
        Assert.That(grid.Claims.Single().Verdict, Is.EqualTo(Verdict.Inconclusive), "two rows tell nothing");
        Assert.That(grid.Correlations.Single().Table, Has.Count.EqualTo(1));
        var page = ReproductionReport.Make(session.Judge(), "spk reproduce tiny");
        Assert.That(page.ToMarkdown(), Does.Contain("| kmeans-1S-unit | 4.00 | ").And.Contain("| 2 | Mixing lowers the EER. | **inconclusive** |"));
        Assert.That(page.ToHtml(), Does.Contain("Correlation with the EER: all").And.Not.Contain("NaN"));
        Assert.That(ReproductionFiles.ToJson(session.Judge())["corpora"]![0]!["grid"]!["rows"]!.AsArray(), Has.Count.EqualTo(2));
    }

    [Test]
    public void Declarations_that_contradict_themselves_are_refused()
    {
        var fine = Experiment();
        string Refuses(Experiment experiment) => Assert.Throws<InvalidOptionException>(experiment.Validate)!.Message;
        Assert.That(Refuses(fine with { Systems = [.. fine.Systems.Skip(1)] }), Does.Contain("labels of base"));
        Assert.That(Refuses(fine with { Grid = fine.Grid! with { Columns = ["plain"] } }), Does.Contain("column mixed"));
        Assert.That(Refuses(fine with { Grid = fine.Grid! with { Claims = [new("x", "plain", Quality)] } }), Does.Contain("'x'"));
        Assert.That(Refuses(fine with { Grid = fine.Grid! with { Claims = [new("y", "plain", Than: "other")] } }), Does.Contain("'y'"));
    }

    private static Experiment Experiment()
    {
        string[] overrides = ["objective.kind=supervised", "data.views=1", "data.pairing=random", "training.epochs=2"];
        ExperimentSystem System(double clusters, string column, params string[] more)
        {
            var labels = new LabelSource("base", new ClusteringSpec(), clusters);
            return new($"{labels.Name}-{column}", column, [.. overrides, .. more]) { Labels = labels, Cell = new GridCell(labels.Name, column) };
        }

        var tiny = TinyExperiment.Make(1);
        return tiny with
        {
            Corpora = [tiny.Corpora[0]],
            Systems =
            [
                new("base", "base", "training.epochs=1"), System(0.5, "plain"), System(0.5, "mixed", "objective.mix.kind=input"), System(1, "plain"),
                System(1, "mixed", "objective.mix.kind=input"),
            ],
            Grid = new ExperimentGrid
            {
                Rows = "labels",
                Columns = ["plain", "mixed", "absent"],
                Predictors = [Measure.Quantity("label.clusters", "clusters")],
                Groups = [new("all", "plain", "mixed")],
                Claims = [new("Mixing lowers the EER.", "mixed", Than: "plain")],
            },
            Claims = [Claim.Lower(Measure.Eer, "kmeans-1S-unit-plain", "base", "Clusters teach.")],
        };
    }

    private static GridRow Row(string name, ulong seed, double quality, double eer) =>
        new(new ExperimentSystem(name, name), name, seed, new Dictionary<string, double> { [Quality.Key] = quality }, [eer]);
}
