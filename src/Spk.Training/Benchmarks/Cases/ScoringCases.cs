using System.Globalization;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Score;
using Spk.Engine.Scoring;
using Spk.Engine.Tensors;
using Spk.Engine.Verification;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Neighbours by cosine, speakers among many profiles, and error rates of many trials.</summary>
internal static class ScoringCases
{
    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("cosine_top_k", "the nearest keys of every query", Neighbours),
        new("identify", "the 10 nearest of 100,000 profiles", Identify) { HasProducts = false },
        new("eer", "equal error rate and detection costs of a million trials", ErrorRates) { HasProducts = false },
    ];

    private static IReadOnlyList<BenchmarkCase> Neighbours(Device device)
    {
        const int rows = 10_000, width = 192, nearest = 10;
        var queries = Inputs.Random(device, new Shape(rows, width), 1);
        var keys = Inputs.Random(device, new Shape(rows, width), 2);
        return
        [
            new("cosine_top_k", [new("enrol", rows), new("test", rows), new("D", width), new("k", nearest)], "trials/s", (double)rows * rows, () =>
            {
                device.Workspace.Reset();
                CosineTopK.Forward(queries, keys, nearest);
            })
            {
                Operations = 2.0 * rows * rows * width,
            },
        ];
    }

    private static IReadOnlyList<BenchmarkCase> Identify(Device device)
    {
        const int profiles = 100_000, width = 192, nearest = 10;
        var store = new ProfileStore("bench", width);
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        for (int i = 0; i < profiles; i++)
        {
            var embedding = new float[width];
            foreach (ref float value in embedding.AsSpan())
            {
                value = random.NextNormal();
            }

            store.Put(new Profile(string.Create(CultureInfo.InvariantCulture, $"speaker {i}"), embedding, 1));
        }

        float[] query = store.Find("speaker 777")!.Embedding.ToArray();
        return
        [
            new("identify", [new("profiles", profiles), new("D", width), new("top", nearest)], "profiles/s", profiles, () => store.Nearest(query, nearest))
            {
                Bytes = 4.0 * profiles * width,
                Operations = 2.0 * profiles * width,
                Owned = store,
            },
        ];
    }

    private static IReadOnlyList<BenchmarkCase> ErrorRates(Device device)
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

        return [new("eer", [new("trials", trials)], "trials/s", trials, () => VerificationMetrics.Compute(scores, labels))];
    }
}
