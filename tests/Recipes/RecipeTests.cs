using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Objectives;
using Spk.Training.Positives;
using Spk.Training.Recipes;

namespace Spk.Tests.Recipes;

public class RecipeTests
{
    private static readonly string[] Shipped = [.. Directory.GetFiles(Repository.Path("recipes"), "*.yaml").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [TestCaseSource(nameof(Shipped))]
    public void Every_shipped_recipe_is_valid_and_round_trips(string file)
    {
        var recipe = Recipe.Load(Repository.Path("recipes", file));
        string yaml = recipe.ToYaml();
        var again = Recipe.Parse(yaml, "again");
        Assert.That(again.ToYaml(), Is.EqualTo(yaml));
        Assert.That(recipe.Name, Is.EqualTo(Path.GetFileNameWithoutExtension(file)));
    }

    [Test]
    public void An_empty_recipe_is_all_defaults()
    {
        Assert.That(Recipe.Parse("", "empty").ToYaml(), Is.EqualTo(new Recipe().ToYaml()));
    }

    [Test]
    public void Values_are_read()
    {
        var recipe = Recipe.Parse(
            """
            name: mine
            data: { root: "/data/my voices", cropSeconds: 1.5, devSpeakers: 4, augmentation: { speeds: [0.9, 1.1], rir: null } }
            encoder: { kind: tdnn, width: 64 }
            objective: { kind: simClr, margin: 0.25, marginKind: additiveAngular, symmetric: false }
            training: { seed: 18446744073709551615, epochs: 3 }
            """,
            "test");
        Assert.Multiple(() =>
        {
            Assert.That(recipe.Name, Is.EqualTo("mine"));
            Assert.That(recipe.Data.Root, Is.EqualTo("/data/my voices"));
            Assert.That(recipe.Data.CropSeconds, Is.EqualTo(1.5f));
            Assert.That(recipe.Data.Augmentation.Speeds, Is.EqualTo(new[] { 0.9f, 1.1f }));
            Assert.That(recipe.Data.Augmentation.Rir, Is.Null);
            Assert.That(recipe.Encoder.Width, Is.EqualTo(64));
            Assert.That(recipe.Objective.Margin, Is.EqualTo(0.25f));
            Assert.That(recipe.Objective.Symmetric, Is.False);
            Assert.That(FieldText.Of(recipe.Objective.MarginKind), Is.EqualTo("additiveAngular"));
            Assert.That(recipe.Training.Seed, Is.EqualTo(ulong.MaxValue));
        });
    }

    [TestCase("objective: { margin: 1.7 }", "r.yaml, line 1: objective.margin = 1.7: allowed are 0 to 1.")]
    [TestCase("objective:\n  margin: big", "r.yaml, line 2: objective.margin = big: allowed are 0 to 1.")]
    [TestCase("objective:\n  margin: .nan", "r.yaml, line 2: objective.margin = .nan: allowed are 0 to 1.")]
    [TestCase("objective:\n  margin: NaN", "r.yaml, line 2: objective.margin = NaN: allowed are 0 to 1.")]
    [TestCase("objective:\n  margins: 0.1", "r.yaml, line 2: unknown field objective.margins; did you mean objective.margin?")]
    [TestCase("objectives: {}", "r.yaml, line 1: unknown field objectives; did you mean objective?")]
    [TestCase("training: { batch: 1.5 }", "r.yaml, line 1: training.batch = 1.5: allowed are whole numbers 2 to 65536.")]
    [TestCase("training: { epochs: }", "r.yaml, line 1: training.epochs = nothing: allowed are a value: remove the line to get the default.")]
    [TestCase("training: [1, 2]", "r.yaml, line 1: training = a list: allowed are a section of fields, indented below it.")]
    [TestCase("objective: { kind: byol }", "r.yaml, line 1: objective.kind = byol: allowed are simClr, moco, dino, supervised, ava, angularPrototypical, ge2e, cola, apc.")]
    [TestCase("objective: { symmetric: yes }", "r.yaml, line 1: objective.symmetric = yes: allowed are true and false.")]
    [TestCase("data: { augmentation: { speeds: 0.9 } }", "r.yaml, line 1: data.augmentation.speeds = 0.9: allowed are a list such as [0.9, 1.1] of numbers 0.5 to 2.")]
    [TestCase("data: { views: 3 }", "r.yaml: data.views = 3: objective.kind simClr needs 2.")]
    [TestCase("data: { views: 3, pairing: random }\nobjective: { kind: cola }", "r.yaml: data.views = 3: objective.kind cola needs 2.")]
    [TestCase("objective: { kind: apc }", "r.yaml: encoder.kind = tdnn: objective.kind apc predicts from the frames so far and needs gru.")]
    [TestCase("data: { cropSeconds: 0.1 }\nencoder: { kind: gru }\nobjective: { kind: apc, apc: { ahead: 40 } }", "r.yaml: objective.apc.ahead = 40 leaves nothing to predict of the 11 frames of data.cropSeconds = 0.1.")]
    [TestCase("data: { rows: dialogues }\nobjective: { kind: cola }", "r.yaml: data.rows = dialogues: objective.kind cola cannot use them; choose ava, angularPrototypical or ge2e, or set it to utterances.")]
    [TestCase("encoder: { kind: gru, lastWidth: 99 }", "r.yaml: encoder.lastWidth = 99: that of a GRU is its width, 128; leave it out.")]
    [TestCase("evaluation: { patience: 2 }", "r.yaml: evaluation.patience = 2 needs development speakers: set data.devSpeakers to 2 or more.")]
    [TestCase("training: { seed: -1 }", "r.yaml, line 1: training.seed = -1: allowed are whole numbers from 0 to 18446744073709551615.")]
    public void A_bad_field_is_named_with_what_is_allowed(string yaml, string message)
    {
        var error = Assert.Throws<InvalidOptionException>(() => Recipe.Parse(yaml, "r.yaml"));
        Assert.That(error!.Message, Is.EqualTo(message));
    }

    [Test]
    public void A_far_off_key_lists_what_is_allowed()
    {
        var error = Assert.Throws<InvalidOptionException>(() => Recipe.Parse("schedule: { zzzzzzzzzzz: 1 }", "r.yaml"));
        Assert.That(error!.Message, Does.StartWith("r.yaml, line 1: unknown field schedule.zzzzzzzzzzz; allowed here are kind, learningRate"));
    }

    [TestCase("a: [1", "r.yaml, line ")]
    [TestCase("just words", "r.yaml: a recipe is a mapping of sections")]
    [TestCase("name: a\nname: b", "r.yaml, line 2: not valid YAML")]
    public void What_is_not_a_recipe_is_refused(string yaml, string start)
    {
        var error = Assert.Throws<DataFormatException>(() => Recipe.Parse(yaml, "r.yaml"));
        Assert.That(error!.Message, Does.StartWith(start).And.Not.Contains('\n'));
    }

    [Test]
    public void A_missing_file_is_named()
    {
        Assert.That(() => Recipe.Load("no/such.yaml"), Throws.TypeOf<DataFormatException>().With.Message.StartsWith("Cannot read the recipe no/such.yaml"));
    }

    [Test]
    public void Overrides_win_and_later_ones_win_over_earlier()
    {
        var recipe = Recipe.Parse(
            "objective: { margin: 0.1 }", "r.yaml",
            ["objective.margin=0.2", "objective.margin = 0.3", "data.root=C:\\voices", "data.augmentation.speeds=[0.9,1.1]", "data.augmentation.noise=null"]);
        Assert.Multiple(() =>
        {
            Assert.That(recipe.Objective.Margin, Is.EqualTo(0.3f));
            Assert.That(recipe.Data.Root, Is.EqualTo("C:\\voices"));
            Assert.That(recipe.Data.Augmentation.Speeds, Has.Count.EqualTo(2));
            Assert.That(recipe.Data.Augmentation.Noise, Is.Null);
            Assert.That(Recipe.Parse(recipe.ToYaml(), "again").Data.Root, Is.EqualTo("C:\\voices"));
        });
    }

    [TestCase("objective.margin=1.7", "--set objective.margin=1.7: objective.margin = 1.7: allowed are 0 to 1.")]
    [TestCase("objective.marign=0.1", "--set objective.marign=0.1: unknown field objective.marign; did you mean objective.margin?")]
    [TestCase("objectiv.margin=0.1", "--set objectiv.margin=0.1: unknown field objectiv; did you mean objective?")]
    [TestCase("objective.margin", "--set objective.margin: write it as section.field=value, such as objective.margin=0.1.")]
    [TestCase("=3", "--set =3: write it as section.field=value, such as objective.margin=0.1.")]
    [TestCase("data.augmentation.speeds=[0.9", "--set data.augmentation.speeds=[0.9: the list is not closed; write it as [a, b].")]
    [TestCase("objective=3", "--set objective=3: objective = 3: allowed are a section of fields, indented below it.")]
    public void A_bad_override_is_named(string assignment, string message)
    {
        var error = Assert.Throws<InvalidOptionException>(() => Recipe.Parse("objective: { margin: 0.1 }", "r.yaml", [assignment]));
        Assert.That(error!.Message, Is.EqualTo(message));
    }

    [Test]
    public void Every_field_is_documented()
    {
        string text = File.ReadAllText(Repository.Path("docs", "recipes.md"));
        var missing = new Recipe().Fields().Where(f => !text.Contains($"`{f.Path}`", StringComparison.Ordinal)).Select(f => f.Path);
        Assert.That(missing, Is.Empty, "fields that docs/recipes.md does not name");
    }

    [Test]
    public void Every_default_lies_within_its_own_range()
    {
        Assert.That(() => Recipe.Parse(new Recipe().ToYaml(), "defaults"), Throws.Nothing);
        Assert.That(() => Recipe.Parse("", "x", ["training.epochs=1"]).Validate(), Throws.Nothing);
    }

    [Test]
    public void A_resumed_run_may_change_only_what_does_not_change_the_steps()
    {
        var recipe = new Recipe();
        var longer = recipe with { Training = recipe.Training with { Epochs = 99 }, Evaluation = recipe.Evaluation with { EveryEpochs = 3 } };
        var other = recipe with { Objective = recipe.Objective with { Margin = 0.5f, Kind = ObjectiveKind.SimClr } };
        Assert.That(RecipeRules.FirstForbiddenChange(recipe, longer, 5), Is.Null);
        Assert.That(RecipeRules.FirstForbiddenChange(recipe, other, 5)!.Value.Asked, Is.EqualTo(new RecipeField("objective.margin", "0.5", "0 to 1")));
    }

    [Test]
    public void Plain_training_may_go_on_with_sampled_positives_until_it_has_collected_for_them()
    {
        var plain = new Recipe();
        var sampled = plain with { Ssps = new PositiveSamplingSpec { Source = PositiveSource.Clusters, StartEpoch = 4 } };
        Assert.That(RecipeRules.FirstForbiddenChange(plain, sampled, 3), Is.Null);
        Assert.That(RecipeRules.FirstForbiddenChange(sampled, plain, 3), Is.Null);
        Assert.That(RecipeRules.FirstForbiddenChange(plain, sampled, 4)!.Value.Asked.Path, Is.EqualTo("ssps.source"));
        Assert.That(RecipeRules.FirstForbiddenChange(sampled, plain, 4)!.Value.Asked.Path, Is.EqualTo("ssps.source"));
    }
}
