using System.Globalization;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Score;
using Spk.Engine.Scoring;
using Spk.Engine.Tensors;
using Spk.Engine.Verification;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Neighbours by cosine, speakers among many profiles, and error rates of many trials.</summary>
internal static class ScoringCases
{
    private const int Width = 192, Speakers = 1000;

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("cosine_score", "cosines of all enrolments with all tests", d => [AllPairs(d, 10_000)]),
        new("cosine_score_eer", "cosines of all enrolments with all tests, and their equal error rate", d => [AllPairsEer(d, 10_000)]),
        new("cosine_top_k", "the nearest keys of every query", Neighbours),
        new("identify", "the 10 nearest of 100,000 profiles", _ => [Identify(100_000)]) { HasProducts = false },
        new("eer", "equal error rate of a million trials", _ => [ErrorRates("eer", (scores, labels) => EqualErrorRate.Compute(scores, labels))]) { HasProducts = false },
        new("verification_metrics", "all operating points of a million trials, sorted", _ => [ErrorRates("verification_metrics", (scores, labels) => VerificationMetrics.Compute(scores, labels))]) { HasProducts = false },
    ];

    /// <summary>Normalizes both sides and multiplies them.</summary>
    public static BenchmarkCase AllPairs(Device device, int rows)
    {
        var (enrolments, tests) = (Inputs.Random(device, new Shape(rows, Width), 1), Inputs.Random(device, new Shape(rows, Width), 2));
        return new("cosine_score", PairSizes(rows), "trials/s", (double)rows * rows, () =>
        {
            device.Workspace.Reset();
            Cosines(enrolments, tests);
        })
        {
            Bytes = 4.0 * rows * rows,
            Operations = 2.0 * rows * rows * Width,
        };
    }

    // Both sides are of the same speakers, in turn.
    private static BenchmarkCase AllPairsEer(Device device, int rows)
    {
        var (enrolments, tests) = (Voices(device, rows, 1), Voices(device, rows, 2));
        float[] scores = new float[rows * rows];
        bool[] labels = new bool[rows * rows];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = i / rows % Speakers == i % rows % Speakers;
        }

        return new("cosine_score_eer", PairSizes(rows), "trials/s", (double)rows * rows, () =>
        {
            device.Workspace.Reset();
            Cosines(enrolments, tests).CopyTo(scores);
            EqualErrorRate.Compute(scores, labels);
        })
        {
            Bytes = 4.0 * rows * rows,
            Operations = 2.0 * rows * rows * Width,
        };
    }

    private static Tensor Cosines(Tensor enrolments, Tensor tests) =>
        MatMul.Forward(null, L2Normalize.Forward(null, enrolments), L2Normalize.Forward(null, tests), transposeB: true);

    private static CaseSize[] PairSizes(int rows) => [new("enrol", rows), new("test", rows), new("D", Width)];

    private static Tensor Voices(Device device, int rows, ulong seed)
    {
        var speakers = new CounterRandom(0, RandomPurpose.Initialization);
        var random = new CounterRandom(seed, RandomPurpose.Initialization);
        float[] centres = new float[Speakers * Width], values = new float[rows * Width];
        foreach (ref float value in centres.AsSpan())
        {
            value = speakers.NextNormal();
        }

        for (int i = 0; i < values.Length; i++)
        {
            values[i] = centres[i % centres.Length] + (2 * random.NextNormal());
        }

        var tensor = device.AllocatePersistent(new Shape(rows, Width));
        tensor.CopyFrom(values);
        return tensor;
    }

    private static IReadOnlyList<BenchmarkCase> Neighbours(Device device)
    {
        const int rows = 10_000, nearest = 10;
        var queries = Inputs.Random(device, new Shape(rows, Width), 1);
        var keys = Inputs.Random(device, new Shape(rows, Width), 2);
        return
        [
            new("cosine_top_k", [new("enrol", rows), new("test", rows), new("D", Width), new("k", nearest)], "trials/s", (double)rows * rows, () =>
            {
                device.Workspace.Reset();
                CosineTopK.Forward(queries, keys, nearest);
            })
            {
                Operations = 2.0 * rows * rows * Width,
            },
        ];
    }

    public static BenchmarkCase Identify(int profiles)
    {
        const int nearest = 10;
        var store = new ProfileStore("bench", Width);
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        for (int i = 0; i < profiles; i++)
        {
            var embedding = new float[Width];
            foreach (ref float value in embedding.AsSpan())
            {
                value = random.NextNormal();
            }

            store.Put(new Profile(string.Create(CultureInfo.InvariantCulture, $"speaker {i}"), embedding, 1));
        }

        float[] query = store.Find("speaker 7")!.Embedding.ToArray();
        return new("identify", [new("profiles", profiles), new("D", Width), new("top", nearest)], "profiles/s", profiles, () => store.Nearest(query, nearest))
        {
            Bytes = 4.0 * profiles * Width,
            Operations = 2.0 * profiles * Width,
            Owned = store,
        };
    }

    private static BenchmarkCase ErrorRates(string name, Action<float[], bool[]> compute)
    {
        const int trials = 1_000_000;
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        float[] scores = new float[trials];
        bool[] labels = new bool[trials];
        for (int i = 0; i < trials; i++)
        {
            labels[i] = i % 3 == 0;
            scores[i] = random.NextNormal() + (labels[i] ? 1.5f : 0);
        }

        return new(name, [new("trials", trials)], "trials/s", trials, () => compute(scores, labels));
    }
}
