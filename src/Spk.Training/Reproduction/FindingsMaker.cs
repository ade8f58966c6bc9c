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
        IReadOnlyList<Trial> trials = finished.Length == 0 ? [] : TrialList.Read(finished[0].TrialList).Trials;
        var runs = finished.Select(r => Measure(r, trials)).ToLookup(r => r.Run.System.Name, StringComparer.Ordinal);
        return new CorpusFindings(
            corpus,
            session.Plan.Root(corpus),
            session.Voices(corpus)?.Describe(),
            [.. session.Plan.Systems.Where(s => runs[s.Name].Any()).Select(s => new SystemFindings(s, [.. runs[s.Name]]))],
            [.. session.Plan.Claims.Select(c => Judge(c, trials, runs)).OfType<ClaimFindings>()])
        {
            Grid = GridMaker.Make(session.Experiment.Grid, runs.SelectMany(r => r)),
        };
    }

    private static RunFindings Measure(SystemRun run, IReadOnlyList<Trial> trials)
    {
        var (scored, scores) = ScoreFile.Read(run.Folder.Scores);
        if (!scored.SequenceEqual(trials))
        {
            throw new DataFormatException($"{run.Folder.Scores} holds other trials than {run.TrialList}: delete {run.Figures} to have the run scored again.");
        }

        var ranked = RankedTrials.Rank([.. scores], [.. trials.Select(t => t.IsTarget)]);
        var bootstrap = new SpeakerBootstrap(trials, new EvaluationOptions());
        var measures = Reproduction.Measure.OfScores.ToDictionary(m => m.Key, m => new MeasuredScores(ranked, bootstrap, m.Score!.Value).Value, StringComparer.Ordinal);
        return new RunFindings(run, TrialEvaluation.Run(trials, scores), measures, RunFigures.Read(run.Figures));
    }

    /// <summary>The verdict on a claim, or null where no seed has all it needs.</summary>
    private static ClaimFindings? Judge(Claim claim, IReadOnlyList<Trial> trials, ILookup<string, RunFindings> runs)
    {
        (RunFindings Run, RunFindings? Other)[] pairs =
        [
            .. runs[claim.System].Select(r => (r, claim.Than is null ? null : runs[claim.Than].FirstOrDefault(o => o.Run.Seed == r.Run.Seed)))
                .Where(p => claim.Than is null || p.Item2 is not null),
        ];
        if (pairs.Length == 0)
        {
            return null;
        }

        if (claim.Measure.Score is not { } measure || claim.Than is null)
        {
            SeedFindings[] values = [.. pairs.Select(p => new SeedFindings(p.Run.Run.Seed, p.Run.Value(claim.Measure), p.Other?.Value(claim.Measure) ?? claim.Limit, null))];
            return new ClaimFindings(claim, VerdictRule.Of([.. values.Select(v => claim.IsLower ? -v.Difference : v.Difference)]), null, values, []);
        }

        SystemComparison Compare(IEnumerable<(RunFindings Run, RunFindings? Other)> of, int[]? members)
        {
            IReadOnlyList<float> Scores(RunFindings run) => members is null ? run.Evaluation.Scores : [.. members.Select(i => run.Evaluation.Scores[i])];
            return SystemComparison.Run(
                members is null ? trials : [.. members.Select(i => trials[i])], [.. of.Select(p => Scores(p.Other!))], [.. of.Select(p => Scores(p.Run))], measure);
        }

        var all = Compare(pairs, null);
        var seeds = pairs.Select(p => (p.Run.Run.Seed, Comparison: Compare([p], null)));
        return new ClaimFindings(
            claim,
            VerdictRule.Of(all, claim.IsLower),
            all,
            [.. seeds.Select(s => new SeedFindings(s.Seed, s.Comparison.Second, s.Comparison.First, s.Comparison.Interval))],
            [.. Sources(trials).Select(g => (g.Key, Comparison: Compare(pairs, g.Value))).Select(g => new GroupFindings(g.Key, g.Comparison, VerdictRule.Of(g.Comparison, claim.IsLower)))]);
    }

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
}
