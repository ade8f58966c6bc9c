using Spk.Interop;

namespace Spk.Training.Reproduction;

/// <summary>
/// A paper's claims, put so that they can be tested again: systems are trained on corpora with several seeds, and compared. A declaration
/// only; <see cref="ExperimentSession"/> carries it out.
/// </summary>
public sealed record Experiment
{
    /// <summary>What it is called on the command line.</summary>
    public required string Name { get; init; }

    /// <summary>Title of its page.</summary>
    public required string Title { get; init; }

    /// <summary>Whose claims they are.</summary>
    public required string Paper { get; init; }

    /// <summary>What is tested, in a few sentences.</summary>
    public required string Summary { get; init; }

    /// <summary>Where it is tested.</summary>
    public required IReadOnlyList<ExperimentCorpus> Corpora { get; init; }

    /// <summary>What is trained; a system that continues another stands after it.</summary>
    public required IReadOnlyList<ExperimentSystem> Systems { get; init; }

    /// <summary>What is claimed; each is judged on every corpus.</summary>
    public required IReadOnlyList<Claim> Claims { get; init; }

    /// <summary>Relative error reductions to show in the paper's layout.</summary>
    public IReadOnlyList<ReductionGrid> Reductions { get; init; } = [];

    /// <summary>
    /// Above 0: evaluation speakers are enrolled by the mean of so many utterances, and all their other utterances tested against all profiles. 0: the
    /// trials are those of the corpus.
    /// </summary>
    public int EnrolmentUtterances { get; init; }

    /// <summary>Measures of scores to show, in the order of the table.</summary>
    public IReadOnlyList<Measure> Measures { get; init; } = Measure.OfScores;

    /// <summary>Rows and columns of the systems that have a cell; null for none.</summary>
    public ExperimentGrid? Grid { get; init; }

    /// <summary>Quantities of the runs to show besides those of the claims.</summary>
    public IReadOnlyList<Measure> Quantities { get; init; } = [];

    /// <summary>Seeds of a full run.</summary>
    public IReadOnlyList<ulong> Seeds { get; init; } = [1, 2, 3];

    /// <summary>Seeds of a quick run.</summary>
    public IReadOnlyList<ulong> QuickSeeds { get; init; } = [1, 2];

    /// <summary>Checks that names are unique and that every reference finds what it names.</summary>
    /// <exception cref="InvalidOptionException">One does not; the message names it.</exception>
    public void Validate()
    {
        RequireUnique(Corpora.Select(c => c.Name), "corpus");
        RequireUnique(Systems.Select(s => s.Name), "system");
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var system in Systems)
        {
            Require(system.Continues is not { } from || known.Contains(from), $"the system {system.Name} continues {system.Continues}, which does not stand before it.");
            Require(system.FineTunes is not { } model || known.Contains(model), $"the system {system.Name} fine-tunes {system.FineTunes}, which does not stand before it.");
            Require(system.Continues is null || system.FineTunes is null, $"the system {system.Name} both continues and fine-tunes.");
            if (system.Alignment is { } alignment)
            {
                foreach (string aligned in new[] { alignment.Enrolment, alignment.Runtime })
                {
                    Require(known.Contains(aligned), $"the system {system.Name} aligns {aligned}, which does not stand before it.");
                }
            }

            Require(system.Labels is not { From: var maker } || known.Contains(maker), $"the system {system.Name} is trained on labels of {system.Labels?.From}, which does not stand before it.");
            Require(system.Cell is not { Column: var column } || Grid?.Columns.Contains(column) == true, $"the system {system.Name} stands in the column {system.Cell?.Column}, which the grid lacks.");
            known.Add(system.Name);
        }

        foreach (var claim in Grid?.Claims ?? [])
        {
            bool found = Grid!.Columns.Contains(claim.Column) && (claim.Than is null ? claim.Predictor is not null && Grid.Predictors.Contains(claim.Predictor) : Grid.Columns.Contains(claim.Than));
            Require(found && (claim.Split is null || Grid.Splits.Any(s => s.Title == claim.Split)), $"the claim '{claim.Statement}' is about something that the grid lacks.");
        }

        foreach (var claim in Claims)
        {
            string? stranger = claim.Systems.Concat(claim.Than).FirstOrDefault(s => !known.Contains(s));
            Require(stranger is null, $"the claim '{claim.Statement}' names {stranger}, which is no system of it.");
            Require(claim.Systems.Count > 0, $"the claim '{claim.Statement}' names no system.");
            Require(
                !claim.IsGain || claim.Systems.All(name => Systems.Any(s => s.Name == name && s.Alignment is not null)),
                $"the claim '{claim.Statement}' is about a recovered gain of {claim.Systems[0]}, which is no alignment.");
        }

        foreach (var grid in Reductions)
        {
            var cells = grid.Rows.SelectMany(r => r.Cells).ToList();
            string? stranger = cells.SelectMany(c => (string[])[c.System, c.Baseline]).FirstOrDefault(s => !known.Contains(s));
            Require(stranger is null, $"the table '{grid.Title}' names {stranger}, which is no system of it.");
            Require(grid.Rows.All(r => r.Cells.Count == grid.Columns.Count), $"the table '{grid.Title}' has rows of other lengths than its head.");
        }
    }

    private void RequireUnique(IEnumerable<string> names, string what)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        string? twice = names.FirstOrDefault(n => !seen.Add(n));
        Require(twice is null, $"the {what} {twice} occurs twice.");
        Require(seen.Count > 0, $"it has no {what}.");
    }

    private void Require(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOptionException($"experiment {Name}: {what}");
        }
    }
}
