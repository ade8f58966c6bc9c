using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Training.Positives;

namespace Spk.Tests.Positives;

/// <summary>Which stored row an anchor gets, against a plain search of everything.</summary>
public class PositiveIndexTests
{
    private const int Utterances = 40, Rows = 24, Batch = 4, Clusters = 6;

    [Test]
    public void Draws_are_what_a_search_of_all_rows_allows([Values(0, 1, 2)] int neighbours, [Values] bool wholeCluster)
    {
        var index = new PositiveIndex(Utterances, Rows, new PositiveSamplingSpec { Neighbours = neighbours, WholeCluster = wholeCluster });
        var random = new CounterRandom(5, RandomPurpose.Plot);
        var stored = new int[Rows];
        Array.Fill(stored, -1);
        int[] clusterOf = new int[Utterances];
        int[] near = [.. Enumerable.Range(0, Clusters).SelectMany(k => Enumerable.Range(1, neighbours).Select(m => (k + m) % Clusters))];
        int draws = 0;
        for (int step = 0; step < 60; step++)
        {
            int oldest = step * Batch % Rows;
            if (step % 9 == 0)
            {
                for (int i = 0; i < Utterances; i++)
                {
                    clusterOf[i] = random.NextInt(Clusters + 1) - 1;
                }

                index.SetClusters(clusterOf, Clusters, near, oldest);
            }

            for (int anchor = 0; anchor < Utterances; anchor++)
            {
                int[] allowed = Allowed(stored, clusterOf, near, neighbours, anchor, oldest);
                int row = index.Draw(ref random, anchor);
                draws += row >= 0 ? 1 : 0;
                Assert.That(row < 0 || allowed.Contains(row), $"step {step}, anchor {anchor}, row {row}");
                if (!wholeCluster && neighbours <= 1)
                {
                    Assert.That(row >= 0, Is.EqualTo(allowed.Length > 0), "a positive is given where there is one");
                }
            }

            int[] batch = [.. Enumerable.Range(0, Batch).Select(b => ((step * 7) + (b * 11)) % Utterances)];
            index.Store(oldest, batch);
            batch.CopyTo(stored, oldest);
        }

        Assert.That(draws, Is.GreaterThan(100), "the test must have seen positives");
    }

    [Test]
    public void Stored_rows_of_a_cluster_are_equally_likely()
    {
        var index = new PositiveIndex(6, 6, new PositiveSamplingSpec { Neighbours = 0 });
        index.SetClusters([0, 0, 0, 0, 1, 0], 2, [], 0);
        index.Store(0, [0, 1, 2, 3, 4, 5]);
        int[] counts = new int[6];
        var random = new CounterRandom(3, RandomPurpose.PositiveSampling);
        const int draws = 40_000;
        for (int i = 0; i < draws; i++)
        {
            counts[index.Draw(ref random, 2)]++;
        }

        // Rows 0, 1, 3 and 5, each a quarter; five standard deviations are 433.
        Assert.That(counts[2] + counts[4], Is.Zero, "never the anchor, never another cluster");
        Assert.That(new[] { counts[0], counts[1], counts[3], counts[5] }, Is.All.EqualTo(draws / 4).Within(433));
    }

    [Test]
    public void An_utterance_stored_twice_counts_once_and_its_newest_row_is_taken()
    {
        var index = new PositiveIndex(4, 6, new PositiveSamplingSpec { Neighbours = 0 });
        index.SetClusters([0, 0, 0, 0], 1, [], 0);
        index.Store(0, [1, 2]);
        index.Store(2, [3, 1]);
        var random = new CounterRandom(3, RandomPurpose.PositiveSampling);
        var rows = Enumerable.Range(0, 200).Select(_ => index.Draw(ref random, 0)).ToHashSet();
        Assert.That(rows, Is.EquivalentTo(new[] { 1, 2, 3 }));
        index.Store(4, [0, 0]);
        index.Store(0, [2, 0]);
        rows = [.. Enumerable.Range(0, 200).Select(_ => index.Draw(ref random, 0))];
        Assert.That(rows, Is.EquivalentTo(new[] { 0, 2, 3 }));
    }

    [Test]
    public void The_order_after_a_restart_is_the_order_before()
    {
        var spec = new PositiveSamplingSpec { Neighbours = 0 };
        var index = new PositiveIndex(Utterances, Rows, spec);
        int[] clusterOf = [.. Enumerable.Range(0, Utterances).Select(i => i % 3)];
        index.SetClusters(clusterOf, 3, [], 0);
        for (int step = 0; step < 11; step++)
        {
            index.Store(step * Batch % Rows, [.. Enumerable.Range(0, Batch).Select(b => ((step * 5) + (b * 13)) % Utterances)]);
        }

        var restarted = new PositiveIndex(Utterances, Rows, spec);
        index.UtteranceOf.CopyTo(restarted.UtteranceOf, 0);
        restarted.SetClusters(clusterOf, 3, [], 11 * Batch % Rows);
        for (int anchor = 0; anchor < Utterances; anchor++)
        {
            var (first, second) = (new CounterRandom(1, RandomPurpose.PositiveSampling, 0, anchor), new CounterRandom(1, RandomPurpose.PositiveSampling, 0, anchor));
            for (int i = 0; i < 5; i++)
            {
                Assert.That(restarted.Draw(ref second, anchor), Is.EqualTo(index.Draw(ref first, anchor)));
            }
        }
    }

    [Test]
    public void Ranks_have_exponential_weights()
    {
        const int draws = 60_000, count = 4;
        const float decay = 0.7f;
        int[] counts = new int[count];
        var random = new CounterRandom(9, RandomPurpose.PositiveSampling);
        for (int i = 0; i < draws; i++)
        {
            counts[PositiveIndex.Rank(ref random, count, decay)]++;
        }

        double all = Enumerable.Range(0, count).Sum(r => Math.Exp(-decay * r));
        for (int rank = 0; rank < count; rank++)
        {
            double share = Math.Exp(-decay * rank) / all;
            Assert.That(counts[rank], Is.EqualTo(draws * share).Within(5 * Math.Sqrt(draws * share * (1 - share))), $"rank {rank}");
        }
    }

    // Every row that holds the newest embedding of another utterance of a cluster that the anchor may draw from.
    private static int[] Allowed(int[] stored, int[] clusterOf, int[] near, int neighbours, int anchor, int oldest)
    {
        int own = clusterOf[anchor];
        if (own < 0)
        {
            return [];
        }

        int[] clusters = neighbours == 0 ? [own] : [.. near.AsSpan(own * neighbours, neighbours)];
        var newest = new Dictionary<int, int>();
        for (int i = 0; i < stored.Length; i++)
        {
            int row = (oldest + i) % stored.Length;
            if (stored[row] >= 0)
            {
                newest[stored[row]] = row;
            }
        }

        return [.. newest.Where(n => n.Key != anchor && clusters.Contains(clusterOf[n.Key])).Select(n => n.Value)];
    }
}
