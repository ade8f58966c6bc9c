using System.Numerics.Tensors;
using Spk.Engine.Devices;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>Scores a trial list and measures its error rates, with confidence intervals by bootstrap over speakers.</summary>
public static class TrialEvaluation
{
    private static readonly DetectionCost[] Costs = [DetectionCost.Prior01, DetectionCost.Prior05];

    /// <summary>Scores trials by cosine and evaluates them.</summary>
    /// <param name="trials">Trials of both kinds.</param>
    /// <param name="table">Embeddings of every utterance they name.</param>
    /// <param name="options">Groups, bootstrap; null for the defaults.</param>
    /// <returns>Error rates, intervals, groups and scores.</returns>
    /// <exception cref="DataFormatException">Utterances without embedding, an empty list, or trials of one kind only.</exception>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    public static EvaluationResult Run(IReadOnlyList<Trial> trials, EmbeddingTable table, EvaluationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(table);
        return Run(trials, Score(trials, table), options) with { ZeroEmbeddings = table.ZeroRows };
    }

    /// <summary>Cosines of trials.</summary>
    /// <param name="trials">Trials.</param>
    /// <param name="table">Embeddings of every utterance they name.</param>
    /// <returns>One score per trial.</returns>
    /// <exception cref="DataFormatException">Utterances without embedding; the message counts and names them.</exception>
    public static float[] Score(IReadOnlyList<Trial> trials, EmbeddingTable table) => Score(trials, table, table);

    /// <summary>Scores of trials, normalized by a cohort where one is given.</summary>
    /// <param name="trials">Trials.</param>
    /// <param name="enrolments">Embeddings of every enrolment they name: utterances, or profiles (<see cref="EmbeddingTable.Means"/>).</param>
    /// <param name="tests">Embeddings of every test they name; may be the same table.</param>
    /// <param name="normalizer">Score normalization; null for cosines as they are.</param>
    /// <param name="device">Where the normalization is computed; null for the CPU.</param>
    /// <param name="cancellation">Ends the normalization early.</param>
    /// <returns>One score per trial.</returns>
    /// <exception cref="ShapeException">Enrolments, tests and cohort differ in their size.</exception>
    /// <exception cref="DataFormatException">Utterances without embedding; the message counts and names them.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static float[] Score(
        IReadOnlyList<Trial> trials,
        EmbeddingTable enrolments,
        EmbeddingTable tests,
        ScoreNormalizer? normalizer = null,
        Device? device = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(trials);
        ArgumentNullException.ThrowIfNull(enrolments);
        ArgumentNullException.ThrowIfNull(tests);
        if (enrolments.Dimension != tests.Dimension)
        {
            throw new ShapeException($"enrolments of size {enrolments.Dimension} cannot be scored against tests of size {tests.Dimension}: both must come from one model.");
        }

        var missing = new SortedSet<string>(StringComparer.Ordinal);
        var scores = new float[trials.Count];
        int[] first = new int[scores.Length], second = new int[scores.Length];
        for (int i = 0; i < scores.Length; i++)
        {
            _ = enrolments.TryIndexOf(trials[i].Enrolment, out first[i]) || missing.Add(trials[i].Enrolment);
            _ = tests.TryIndexOf(trials[i].Test, out second[i]) || missing.Add(trials[i].Test);
        }

        if (missing.Count > 0)
        {
            throw new DataFormatException(
                $"{missing.Count} utterances of the trial list have no embedding: {string.Join(", ", missing.Take(3))}{(missing.Count > 3 ? ", …" : "")}; embed them or use the trial list of this data.");
        }

        CohortStatistics[]? ofEnrolments = Measure(normalizer?.Options.UsesEnrolment, enrolments), ofTests = null;
        if (normalizer is not null)
        {
            ofTests = ReferenceEquals(enrolments, tests) && ofEnrolments is not null ? ofEnrolments : Measure(normalizer.Options.UsesTest, tests);
        }

        for (int i = 0; i < scores.Length; i++)
        {
            float cosine = Math.Clamp(TensorPrimitives.Dot(enrolments.Row(first[i]), tests.Row(second[i])), -1f, 1f);
            scores[i] = normalizer is null
                ? cosine
                : (float)normalizer.Normalize(cosine, ofEnrolments?[first[i]] ?? default, ofTests?[second[i]] ?? default);
        }

        return scores;

        CohortStatistics[]? Measure(bool? wanted, EmbeddingTable table) => wanted == true ? normalizer!.Measure(table, device, cancellation) : null;
    }

    /// <summary>Evaluates trials that are scored already.</summary>
    /// <param name="trials">Trials of both kinds.</param>
    /// <param name="scores">One finite score per trial.</param>
    /// <param name="options">Groups, bootstrap; null for the defaults.</param>
    /// <returns>Error rates, intervals, groups and scores.</returns>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static EvaluationResult Run(IReadOnlyList<Trial> trials, IReadOnlyList<float> scores, EvaluationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(trials);
        ArgumentNullException.ThrowIfNull(scores);
        options ??= new EvaluationOptions();
        options.Validate();

        float[] values = [.. scores];
        var labels = new bool[trials.Count];
        var members = new SortedDictionary<string, List<int>>(StringComparer.Ordinal);
        var groupOf = options.Grouping();
        double same = 0, different = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = trials[i].IsTarget;
            string group = groupOf(trials[i].Enrolment) is { Length: > 0 } name ? name : "other";
            if (!members.TryGetValue(group, out var list))
            {
                members[group] = list = [];
            }

            list.Add(i);
            _ = i < values.Length ? labels[i] ? same += values[i] : different += values[i] : 0;
        }

        var ranked = RankedTrials.Rank(values, labels);
        var metrics = VerificationMetrics.Compute(ranked);
        var bootstrap = new SpeakerBootstrap(trials, options);
        var groups = members.Select(m => new Group(m.Key, [.. m.Value], values, labels)).ToArray();

        // Column 0 to 2: EER and both costs over all trials; then the EER of each group.
        var draws = Draw(bootstrap, bootstrap.Of(ranked, null), [.. groups.Select(g => g.Ranked is null ? null : bootstrap.Of(g.Ranked, g.Members))], options.BootstrapDraws);
        var eerInterval = SpeakerBootstrap.Percentiles(draws[0], options.Confidence, out int valid);
        return new EvaluationResult
        {
            Eer = metrics.Eer,
            MinDcf01 = metrics.MinDcf(0.01),
            MinDcf05 = metrics.MinDcf(0.05),
            Trials = labels.Length,
            Targets = metrics.Targets,
            Speakers = bootstrap.Speakers,
            Threshold = metrics.EerThreshold,
            MeanCosineSame = same / metrics.Targets,
            MeanCosineDifferent = different / metrics.NonTargets,
            Groups = [.. groups.Select((g, k) => g.Result(SpeakerBootstrap.Percentiles(draws[3 + k], options.Confidence, out _)))],
            EerInterval = eerInterval,
            MinDcf01Interval = SpeakerBootstrap.Percentiles(draws[1], options.Confidence, out _),
            MinDcf05Interval = SpeakerBootstrap.Percentiles(draws[2], options.Confidence, out _),
            Confidence = options.Confidence,
            BootstrapDraws = valid,
            ZeroEmbeddings = 0,
            Scores = values,
            Labels = labels,
            Metrics = metrics,
            FrrAtFar = FalseRejection.Of(metrics),
            Calibration = options.Calibration is null ? null : CalibrationResult.Of(options.Calibration, ranked),
        };
    }

    private static double[][] Draw(SpeakerBootstrap bootstrap, SpeakerBootstrap.Sample all, SpeakerBootstrap.Sample?[] groups, int count)
    {
        var values = new double[3 + groups.Length][];
        for (int column = 0; column < values.Length; column++)
        {
            values[column] = new double[count];
        }

        // Every draw writes its own places only, so the result does not depend on the number of threads.
        Parallel.For(
            0,
            count,
            () => (Multiplicity: new int[bootstrap.Speakers], Weights: new int[all.Count], Costs: new double[Costs.Length]),
            (draw, _, scratch) =>
            {
                bootstrap.Draw(draw, scratch.Multiplicity);
                values[0][draw] = all.Rates(scratch.Multiplicity, scratch.Weights, Costs, scratch.Costs);
                (values[1][draw], values[2][draw]) = (scratch.Costs[0], scratch.Costs[1]);
                for (int k = 0; k < groups.Length; k++)
                {
                    values[3 + k][draw] = groups[k] is { } group ? group.Rates(scratch.Multiplicity, scratch.Weights, [], []) : double.NaN;
                }

                return scratch;
            },
            _ => { });
        return values;
    }

    /// <summary>One group of trials; without ranked scores where it lacks one kind of trial.</summary>
    private sealed class Group
    {
        private readonly string _name;
        private readonly int _targets;

        public Group(string name, int[] members, float[] scores, bool[] labels)
        {
            _name = name;
            Members = members;
            bool[] ownLabels = [.. members.Select(i => labels[i])];
            _targets = ownLabels.Count(l => l);
            if (_targets > 0 && _targets < members.Length)
            {
                Ranked = RankedTrials.Rank([.. members.Select(i => scores[i])], ownLabels);
            }
        }

        public int[] Members { get; }

        public RankedTrials? Ranked { get; }

        public GroupResult Result(Interval? interval)
        {
            var metrics = Ranked is null ? null : VerificationMetrics.Compute(Ranked);
            return new GroupResult(_name, Members.Length, _targets, metrics?.Eer, metrics?.MinDcf(0.01), metrics?.MinDcf(0.05), interval) { FrrAtFar = FalseRejection.Of(metrics) };
        }
    }
}
