using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>Reads what the finished runs of a session left, measures it and judges the claims.</summary>
internal static class FindingsMaker
{
    public static Findings Make(ExperimentSession session) => new(
        session.Experiment,
        [
            .. session.Corpora.Select(corpus => Make(session, corpus)).Where(c => c.Systems.Count > 0),
        ]);

    private static CorpusFindings Make(ExperimentSession session, ExperimentCorpus corpus)
    {
        SystemRun[] finished = [.. session.Runs.Where(r => r.Corpus == corpus && r.IsFinished)];
        IReadOnlyList<Trial> trials = finished.Length == 0 ? [] : RunTrials.Open(finished[0]).Trials;
        Measure[] measures = [.. Reproduction.Measure.OfScores.Concat(session.Experiment.Measures).Concat(session.Plan.Claims.Select(c => c.Measure)).Where(m => m.Score is not null).Distinct()];
        var runs = finished.Select(r => Measure(r, trials, measures)).ToLookup(r => r.Run.System.Name, StringComparer.Ordinal);
        return new CorpusFindings(
            corpus,
            session.Plan.Root(corpus),
            session.Voices(corpus)?.Describe(),
            [.. session.Plan.Systems.Where(s => runs[s.Name].Any()).Select(s => new SystemFindings(s, [.. runs[s.Name]]))],
            [.. session.Plan.Claims.Select(c => Judge(c, trials, runs)).OfType<ClaimFindings>()],
            Gains(session, trials, runs))
        {
            Grid = GridMaker.Make(session.Experiment.Grid, runs.SelectMany(r => r)),
        };
    }

    private static RunFindings Measure(SystemRun run, IReadOnlyList<Trial> trials, Measure[] wanted)
    {
        var (scored, scores) = ScoreFile.Read(run.Folder.Scores);
        if (!scored.SequenceEqual(trials))
        {
            throw new DataFormatException($"{run.Folder.Scores} holds other trials than {RunTrials.Source(run)}: delete {run.Figures} to have the run scored again.");
        }

        var ranked = RankedTrials.Rank([.. scores], [.. trials.Select(t => t.IsTarget)]);
        var bootstrap = new SpeakerBootstrap(trials, new EvaluationOptions());
        var measures = wanted.ToDictionary(m => m.Key, m => new MeasuredScores(ranked, bootstrap, m.Score!.Value).Value, StringComparer.Ordinal);
        return new RunFindings(run, TrialEvaluation.Run(trials, scores), measures, RunFigures.Read(run.Figures));
    }

    /// <summary>The verdict on a claim, or null where no seed has all it needs.</summary>
    private static ClaimFindings? Judge(Claim claim, IReadOnlyList<Trial> trials, ILookup<string, RunFindings> runs)
    {
        // Every seed that has all that the claim names.
        SeedRuns[] seeds =
        [
            .. runs[claim.Systems[0]].Select(r => new SeedRuns(r.Run.Seed, Of(claim.Systems, r.Run.Seed), Of(claim.Than, r.Run.Seed)))
                .Where(s => s.Runs.Length == claim.Systems.Count && s.Others.Length == claim.Than.Count),
        ];
        if (seeds.Length == 0)
        {
            return null;
        }

        if (claim.IsGain)
        {
            return Recovered(claim, trials, runs);
        }

        if (claim.Measure.Score is not { } measure || claim.HasLimit)
        {
            SeedFindings[] values =
            [
                .. seeds.Select(s => new SeedFindings(
                    s.Seed, s.Runs.Average(r => r.Value(claim.Measure)), claim.HasLimit ? claim.Limit : s.Others.Average(r => r.Value(claim.Measure)), null)),
            ];
            return new ClaimFindings(claim, VerdictRule.Of([.. values.Select(v => claim.IsLower ? -v.Difference : v.Difference)]), null, values, []);
        }

        SystemComparison Compare(IEnumerable<SeedRuns> of, int[]? members)
        {
            IReadOnlyList<float> Scores(RunFindings run) => members is null ? run.Evaluation.Scores : [.. members.Select(i => run.Evaluation.Scores[i])];
            return SystemComparison.Run(
                members is null ? trials : [.. members.Select(i => trials[i])], [.. of.SelectMany(s => s.Others).Select(Scores)], [.. of.SelectMany(s => s.Runs).Select(Scores)], measure);
        }

        var all = Compare(seeds, null);
        var single = seeds.Select(s => (s.Seed, Comparison: Compare([s], null)));
        return new ClaimFindings(
            claim,
            VerdictRule.Of(all, claim.IsLower),
            all,
            [.. single.Select(s => new SeedFindings(s.Seed, s.Comparison.Second, s.Comparison.First, s.Comparison.Interval))],
            [.. Sources(trials).Select(g => (g.Key, Comparison: Compare(seeds, g.Value))).Select(g => new GroupFindings(g.Key, g.Comparison, VerdictRule.Of(g.Comparison, claim.IsLower)))]);

        RunFindings[] Of(IEnumerable<string> systems, ulong seed) => [.. systems.Select(s => runs[s].FirstOrDefault(r => r.Run.Seed == seed)).OfType<RunFindings>()];
    }

    private static ClaimFindings? Recovered(Claim claim, IReadOnlyList<Trial> trials, ILookup<string, RunFindings> runs)
    {
        var triples = Aligned(runs[claim.Systems[0]], runs);
        if (triples.Length == 0)
        {
            return null;
        }

        var all = Gain(trials, triples, claim.Measure);
        var seeds = triples.Select(t => (t.Run.Run.Seed, Gain: Gain(trials, [t], claim.Measure)));
        return new ClaimFindings(claim, VerdictRule.Of(all, claim.Limit), null, [.. seeds.Select(s => new SeedFindings(s.Seed, s.Gain.Share, claim.Limit, s.Gain.Interval))], [])
        {
            Gain = all,
        };
    }

    private static GainFindings[] Gains(ExperimentSession session, IReadOnlyList<Trial> trials, ILookup<string, RunFindings> runs) =>
    [
        .. from system in session.Plan.Systems
           where system.Alignment is not null
           let triples = Aligned(runs[system.Name], runs)
           where triples.Length > 0
           from measure in session.Experiment.Measures
           where measure.Score is not null
           select new GainFindings(system, measure, Gain(trials, triples, measure)),
    ];

    /// <summary>Runs of an alignment with those of the two systems it aligns.</summary>
    private static (RunFindings Run, RunFindings Old, RunFindings New)[] Aligned(IEnumerable<RunFindings> alignments, ILookup<string, RunFindings> runs) =>
    [
        .. from run in alignments
           let old = runs[run.Run.System.Alignment!.Enrolment].FirstOrDefault(r => r.Run.Seed == run.Run.Seed)
           let newer = runs[run.Run.System.Alignment!.Runtime].FirstOrDefault(r => r.Run.Seed == run.Run.Seed)
           where old is not null && newer is not null
           select (run, old, newer),
    ];

    private static RecoveredGain Gain(IReadOnlyList<Trial> trials, (RunFindings Run, RunFindings Old, RunFindings New)[] triples, Measure measure) => RecoveredGain.Run(
        trials,
        [.. triples.Select(t => t.Old.Evaluation.Scores)],
        [.. triples.Select(t => t.Run.Evaluation.Scores)],
        [.. triples.Select(t => t.New.Evaluation.Scores)],
        measure.Score!.Value);

    /// <summary>The trials of each source that has both kinds; none where all trials are of one source.</summary>
    private static SortedDictionary<string, int[]> Sources(IReadOnlyList<Trial> trials)
    {
        var groups = Enumerable.Range(0, trials.Count).GroupBy(i => SpeakerFolders.Group(trials[i].Enrolment), StringComparer.Ordinal).ToArray();
        var sources = new SortedDictionary<string, int[]>(StringComparer.Ordinal);
        if (groups.Length > 1)
        {
            foreach (var group in groups.Where(g => g.Any(i => trials[i].IsTarget) && g.Any(i => !trials[i].IsTarget)))
            {
                sources.Add(group.Key, [.. group]);
            }
        }

        return sources;
    }

    /// <summary>What a claim compares of one seed.</summary>
    private sealed record SeedRuns(ulong Seed, RunFindings[] Runs, RunFindings[] Others);
}
