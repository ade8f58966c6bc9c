using System.Numerics.Tensors;
using Spk.Engine.Alignment;
using Spk.Engine.Scoring;
using Spk.Interop;

namespace Spk.Training.Alignment;

/// <summary>
/// Trials over held-back speakers, as old profiles meet a new runtime model: enrolled are every utterance, and for every speaker the mean of
/// half of the utterances; tested are all utterances that the enrolment does not hold.
/// </summary>
internal sealed class HeldBackTrials
{
    // All pairs of more would take longer than an epoch.
    private const int MostUtterances = 600;

    private readonly int _enrolmentSize, _runtimeSize;
    private readonly float[] _enrolments, _tests;
    private readonly (int Enrolment, int Test)[] _trials;
    private readonly bool[] _labels;
    private readonly double _far;

    public HeldBackTrials(AlignmentData data, double far)
    {
        _far = far;
        (_enrolmentSize, _runtimeSize) = (data.EnrolmentSize, data.RuntimeSize);
        int most = Math.Max(2, MostUtterances / data.Speakers.Count);
        int[][] members = [.. data.Utterances.Select(u => u.Take(most).ToArray())];
        var enrolments = new List<(int Speaker, int[] Of)>();
        for (int s = 0; s < members.Length; s++)
        {
            enrolments.AddRange(members[s].Select(u => (s, new[] { u })));
            if (members[s].Length > 2)
            {
                enrolments.Add((s, members[s][..(members[s].Length / 2)]));
            }
        }

        (int Speaker, int Of)[] tests = [.. members.SelectMany((m, s) => m.Select(u => (s, u)))];
        _enrolments = new float[enrolments.Count * _enrolmentSize];
        for (int e = 0; e < enrolments.Count; e++)
        {
            AlignmentBatches.Mean(data.EnrolmentRows, _enrolmentSize, enrolments[e].Of, 0, enrolments[e].Of.Length, _enrolments.AsSpan(e * _enrolmentSize, _enrolmentSize));
        }

        _tests = [.. tests.SelectMany(t => data.RuntimeRows.Slice(t.Of * data.RuntimeSize, data.RuntimeSize).ToArray())];
        _trials =
        [
            .. from e in Enumerable.Range(0, enrolments.Count)
               from t in Enumerable.Range(0, tests.Length)
               where !enrolments[e].Of.Contains(tests[t].Of)
               select (e, t),
        ];
        _labels = [.. _trials.Select(t => enrolments[t.Enrolment].Speaker == tests[t.Test].Speaker)];
        int targets = _labels.Count(l => l), nonTargets = _labels.Length - targets;
        if (targets == 0 || nonTargets < 10 / far)
        {
            throw new InvalidOptionException(FormattableString.Invariant(
                $"alignment: the {data.Speakers.Count} held-back speakers make {targets} target and {nonTargets} non-target trials, too few to count false rejections at FAR {far}: hold back more of them, choose a higher FAR, or hold none back."));
        }
    }

    /// <summary>False rejection rate at the false acceptance rate, a fraction.</summary>
    public double Measure(AlignmentMap? enrolmentMap, AlignmentMap? runtimeMap)
    {
        float[] enrolments = Apply(enrolmentMap, _enrolments, _enrolmentSize), tests = Apply(runtimeMap, _tests, _runtimeSize);
        int size = enrolmentMap?.Outputs ?? _enrolmentSize;
        var scores = new float[_trials.Length];
        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] = TensorPrimitives.Dot(enrolments.AsSpan(_trials[i].Enrolment * size, size), tests.AsSpan(_trials[i].Test * size, size));
        }

        return VerificationMetrics.Compute(scores, _labels).FrrAtFar(_far);
    }

    private static float[] Apply(AlignmentMap? map, float[] rows, int size)
    {
        if (map is null)
        {
            return rows;
        }

        var mapped = new float[rows.Length / size * map.Outputs];
        Parallel.For(0, rows.Length / size, r => map.Apply(rows.AsSpan(r * size, size), mapped.AsSpan(r * map.Outputs, map.Outputs)));
        return mapped;
    }
}
