using Spk.Interop;
using Spk.Training.Recipes;

namespace Spk.Training.Reproduction;

/// <summary>Turns a declaration and what the caller asked for into corpora, systems, claims and runs.</summary>
internal sealed class ExperimentPlan
{
    // Decided by --data and --seeds.
    private static readonly string[] Reserved = ["data.root", "data.labels.file", "training.seed"];

    private readonly ExperimentOptions _options;

    public ExperimentPlan(Experiment experiment, ExperimentOptions options)
    {
        experiment.Validate();
        _options = options;
        Corpora = Choose(experiment);
        Systems = [.. experiment.Systems.Where(s => s.InQuick || !options.Quick)];
        var names = Systems.Select(s => s.Name).ToHashSet(StringComparer.Ordinal);
        Claims = [.. experiment.Claims.Where(c => c.Systems.Concat(c.Than).All(names.Contains))];
        Seeds = options.Seeds.Count > 0 ? options.Seeds : options.Quick ? experiment.QuickSeeds : experiment.Seeds;
        if (Seeds.Distinct().Count() != Seeds.Count)
        {
            throw new InvalidOptionException($"--seeds {string.Join(',', Seeds)} names a seed twice.");
        }

        if (options.Overrides.FirstOrDefault(o => Reserved.Any(r => o.StartsWith(r + "=", StringComparison.Ordinal))) is { } reserved)
        {
            throw new InvalidOptionException($"--set {reserved} is decided by the experiment: use --data and --seeds.");
        }

        Runs = [.. Make(experiment)];
    }

    public IReadOnlyList<ExperimentCorpus> Corpora { get; }

    public IReadOnlyList<ExperimentSystem> Systems { get; }

    public IReadOnlyList<Claim> Claims { get; }

    public IReadOnlyList<ulong> Seeds { get; }

    /// <summary>Seed by seed all systems of a corpus, so that an experiment that was stopped has whole seeds to compare.</summary>
    public IReadOnlyList<SystemRun> Runs { get; }

    /// <summary>Where a corpus lies.</summary>
    public string Root(ExperimentCorpus corpus) => corpus.Voices is null ? _options.Data! : Path.Combine(_options.Folder, "corpora", corpus.Name);

    private ExperimentCorpus[] Choose(Experiment experiment)
    {
        if (_options.Corpora.FirstOrDefault(n => experiment.Corpora.All(c => c.Name != n)) is { } unknown)
        {
            throw new InvalidOptionException($"experiment {experiment.Name} has no corpus '{unknown}'; it has {string.Join(", ", experiment.Corpora.Select(c => c.Name))}.");
        }

        ExperimentCorpus[] wanted = [.. experiment.Corpora.Where(c => _options.Corpora.Count == 0 || _options.Corpora.Contains(c.Name))];
        if (_options.Data is not null && wanted.All(c => c.Voices is not null))
        {
            throw new InvalidOptionException($"experiment {experiment.Name} uses no corpus at hand here: leave out --data.");
        }

        ExperimentCorpus[] available = [.. wanted.Where(c => c.Voices is not null || _options.Data is not null)];
        return available.Length > 0
            ? available
            : throw new InvalidOptionException($"experiment {experiment.Name} needs a corpus here: name its folder with --data.");
    }

    private IEnumerable<SystemRun> Make(Experiment experiment)
    {
        foreach (var corpus in Corpora)
        {
            foreach (ulong seed in Seeds)
            {
                var made = new Dictionary<string, SystemRun>(StringComparer.Ordinal);
                foreach (var system in Systems)
                {
                    SystemRun? Made(string? name) => name is null ? null : made.GetValueOrDefault(name)
                        ?? throw new InvalidOptionException($"the system {system.Name} builds on {name}, which a quick run leaves out.");
                    var pretrained = Made(system.FineTunes);
                    string folder = Path.Combine(_options.Folder, "runs", corpus.Name, system.Name, FormattableString.Invariant($"seed-{seed}"));
                    string? labels = system.Labels is null
                        ? null
                        : Path.GetFullPath(Path.Combine(_options.Folder, "labels", corpus.Name, FormattableString.Invariant($"seed-{seed}"), system.Labels.Name + ".csv"));
                    var recipe = Recipe(corpus, system, seed, labels);
                    var run = new SystemRun(
                        corpus, system, seed, new RunFolder(folder), pretrained is null ? recipe : FineTuning.Of(recipe, pretrained.Recipe, pretrained.Folder.Path))
                    {
                        From = Made(system.Continues),
                        Pretrained = pretrained,
                        Aligns = system.Alignment is { } alignment ? (Made(alignment.Enrolment)!, Made(alignment.Runtime)!) : null,
                        EnrolmentUtterances = experiment.EnrolmentUtterances,
                        LabelPath = labels,
                        Labels = Made(system.Labels?.From),
                    };
                    made.Add(system.Name, run);
                    yield return run;
                }
            }
        }
    }

    private Recipe Recipe(ExperimentCorpus corpus, ExperimentSystem system, ulong seed, string? labels)
    {
        string name = corpus.Recipe;
        List<string> overrides = [.. corpus.Overrides];
        if (_options.Quick)
        {
            overrides.AddRange(corpus.QuickOverrides);
        }

        foreach (var stage in Stages(system))
        {
            name = stage.Recipe ?? name;
            overrides.Add("training.stopAfterEpochs=0");
            overrides.AddRange(stage.Overrides);
            if (_options.Quick)
            {
                overrides.AddRange(stage.QuickOverrides);
            }
        }

        overrides.AddRange(_options.Overrides);
        overrides.Add($"data.root={Root(corpus)}");
        overrides.Add(FormattableString.Invariant($"training.seed={seed}"));
        overrides.Add($"name={system.Name}");
        if (labels is not null)
        {
            overrides.Add($"data.labels.file={labels}");
        }

        return ShippedRecipes.Load(name, overrides);
    }

    // From the first stage to the system itself: later overrides win.
    private List<ExperimentSystem> Stages(ExperimentSystem system)
    {
        List<ExperimentSystem> stages = [system];
        while (stages[0].Continues is { } from)
        {
            stages.Insert(0, Systems.First(s => s.Name == from));
        }

        return stages;
    }
}
