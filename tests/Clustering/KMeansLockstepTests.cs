using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>Problems of a batch on a GPU: what comes of each is what comes of it alone, and launches and waits are those of one.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class KMeansLockstepTests(TestDevice on)
{
    // One cluster; a width that is no multiple of 4; more clusters than a tile of 64, and than one of 128 and one digit of the sort.
    [TestCase(ClusterMetric.Euclidean, 1, 5, EmptyClusterPolicy.Farthest, false)]
    [TestCase(ClusterMetric.Euclidean, 6, 9, EmptyClusterPolicy.Farthest, true)]
    [TestCase(ClusterMetric.Cosine, 6, 12, EmptyClusterPolicy.Split, true)]
    [TestCase(ClusterMetric.Euclidean, 70, 13, EmptyClusterPolicy.Split, false)]
    [TestCase(ClusterMetric.Cosine, 130, 3, EmptyClusterPolicy.Keep, false)]
    [TestCase(ClusterMetric.Euclidean, 260, 2, EmptyClusterPolicy.Farthest, false)]
    [Category("Sanitized")]
    public void Problems_have_the_bits_that_they_have_alone(ClusterMetric metric, int clusters, int dimension, EmptyClusterPolicy policy, bool inAllArithmetics)
    {
        var options = new KMeansOptions
        {
            Metric = metric,
            EmptyClusters = policy,
            Initialization = clusters > 6 ? KMeansInitialization.RandomRows : KMeansInitialization.PlusPlus,
            Tolerance = 0,
            MaximumIterations = 5,
            Seed = 5,
        };
        var problems = Problems(clusters, dimension);
        foreach (var (precision, onWarpgroups) in on.Arithmetics.Where(one => inAllArithmetics || one.Precision == Precision.Fp32))
        {
            using var device = (CudaDevice)on.Open(2, precision, onWarpgroups);
            var before = device.Workspace.Position;
            var results = KMeans.FitBatch(problems, options, device);
            Assert.That(device.Workspace.Position, Is.EqualTo(before));
            for (int p = 0; p < problems.Length; p++)
            {
                AssertSameBits(results[p], Alone(problems[p], options, device), $"{precision}, problem {p}");
            }

            if (clusters == 6)
            {
                Assert.That(results.Select(one => one.Stop).Distinct().Count(), Is.EqualTo(2), "some converge, others do not");
            }

            if (clusters > 1)
            {
                Assert.That(
                    Alone(problems[^1], options with { MaximumIterations = 0 }, device).Counts, Has.Member(0), "the last begins with copies of a centroid, which are empty");
            }
        }
    }

    [Test]
    public void Each_problem_keeps_its_best_start_and_its_own_reason_to_stop()
    {
        var options = new KMeansOptions { Restarts = 3, Tolerance = 0.02, MaximumIterations = 4, Initialization = KMeansInitialization.RandomRows };
        KMeansProblem[] problems = [.. Enumerable.Range(0, 4).Select(p =>
            new KMeansProblem(p % 2 == 0 ? Samples.Normal(20 + p, (40 + p) * 3) : Blobs(20 + p, 40 + p, 3, 4), 3, 4) { Seed = (ulong)p })];
        using var device = (CudaDevice)on.Open();
        var results = KMeans.FitBatch(problems, options, device);
        for (int p = 0; p < problems.Length; p++)
        {
            AssertSameBits(results[p], Alone(problems[p], options, device), $"problem {p}");
            var starts = Enumerable.Range(0, 3).Select(restart => Alone(problems[p], options with { Restarts = restart + 1 }, device).Inertia);
            Assert.That(results[p].Inertia, Is.EqualTo(starts.Min()), $"problem {p}");
        }

        Assert.That(results.Select(one => one.Restart).Distinct().Count(), Is.GreaterThan(1), "different starts win");
        Assert.That(results.Select(one => one.Stop).Distinct().Count(), Is.GreaterThan(1), "for different reasons");
    }

    [Test]
    public void Launches_and_waits_of_an_iteration_do_not_grow_with_the_problems()
    {
        var (one, more) = (Work(problems: 1, iterations: 2), Work(problems: 1, iterations: 4));
        var (ofFive, moreOfFive) = (Work(problems: 5, iterations: 2), Work(problems: 5, iterations: 4));
        Assert.That(ofFive.Launches, Is.EqualTo(one.Launches), "from given centroids nothing is done problem by problem");
        Assert.That(moreOfFive.Launches, Is.EqualTo(more.Launches));
        Assert.That(more.Launches, Has.Count.GreaterThan(one.Launches.Count));
        Assert.That(more.Waits - one.Waits, Is.EqualTo(2), "one an iteration");
        Assert.That(moreOfFive.Waits - ofFive.Waits, Is.EqualTo(2), "one an iteration for all");
    }

    [Test]
    public void Problems_of_other_sizes_have_launches_of_their_own()
    {
        // Rows of half as many and less, another width, another K.
        Assert.That(Groups((100, 4, 3), (60, 4, 3), (50, 4, 3)), Is.EqualTo(1));
        Assert.That(Groups((49, 4, 3), (100, 4, 3)), Is.EqualTo(2));
        Assert.That(Groups((60, 4, 3), (60, 5, 3), (60, 4, 2), (61, 4, 3)), Is.EqualTo(3));
    }

    [Test]
    public void A_batch_larger_than_the_memory_goes_in_parts()
    {
        using var device = (CudaDevice)on.Open();
        Assume.That(EmulatorSettings.IsEmulator(device.Driver), "skipped, optional: only the emulator has as much memory as it is told");
        EmulatorSettings.Set(device.Driver, "memory_mib", 8);
        try
        {
            Assert.That(Groups([.. Enumerable.Repeat((40, 4, 3), 9)]), Is.InRange(2, 8));
        }
        finally
        {
            EmulatorSettings.Set(device.Driver, "memory_mib", 4096);
        }
    }

    // Problem 1 as one of three alike, and alone in its group for its own number of columns.
    [TestCase(2)]
    [TestCase(3)]
    public void Mistakes_name_the_problem(int dimension)
    {
        using var device = (CudaDevice)on.Open();
        float[] rows = Samples.Normal(1, 6 * dimension), bad = [.. rows];
        bad[dimension + 1] = float.NaN;
        foreach (var (mistake, type) in new (KMeansProblem, Type)[]
        {
            (new(bad, dimension, 2), typeof(NonFiniteException)),
            (new(rows, dimension, 2) { InitialCentroids = bad.AsMemory(0, 2 * dimension) }, typeof(NonFiniteException)),
            (new(rows, dimension, 2) { Weights = new float[] { 1, 1, 1, 1, float.NaN, 1 } }, typeof(NonFiniteException)),
            (new(rows, dimension, 2) { Weights = new float[5] }, typeof(ShapeException)),
            (new(rows, dimension, 2) { Weights = new float[6] }, typeof(InvalidOptionException)),
            (new(rows, dimension, 7), typeof(InvalidOptionException)),
        })
        {
            KMeansProblem[] problems = [new(new float[8], 2, 2), mistake, new(new float[12], 2, 2)];
            Assert.That(() => KMeans.FitBatch(problems, new KMeansOptions(), device), Throws.TypeOf(type).With.Message.StartsWith("problem 1: "));
        }
    }

    // What comes to light while problems are solved: memory that runs out when their group is begun. Groups go by the number of columns.
    [TestCase(new[] { 2, 3 }, "problem 0: ")]
    [TestCase(new[] { 3, 2, 2, 2 }, "problem 1 and 2 more in common: ")]
    public void Too_little_memory_names_the_problems(int[] dimensions, string names)
    {
        const int rows = 60_000;
        using var device = (CudaDevice)on.Open();
        Assume.That(EmulatorSettings.IsEmulator(device.Driver), "skipped, optional: only the emulator has as much memory as it is told");
        KMeansProblem[] problems = [.. dimensions.Select(dimension =>
        {
            float[] values = new float[rows * dimension];
            return new KMeansProblem(values, dimension, 2) { InitialCentroids = new float[2 * dimension] };
        })];
        var before = device.Workspace.Position;
        device.Launching = _ => EmulatorSettings.Set(device.Driver, "memory_mib", 1);
        try
        {
            Assert.That(
                () => KMeans.FitBatch(problems, new KMeansOptions(), device),
                Throws.TypeOf<OutOfDeviceMemoryException>().With.Message.StartsWith(names + "Out of device memory"));
        }
        finally
        {
            device.Launching = null;
            EmulatorSettings.Set(device.Driver, "memory_mib", 4096);
        }

        Assert.That(device.Workspace.Position, Is.EqualTo(before));
    }

    // In the first iteration of a descent; in the labelling that is all there is without iterations, of one group of two.
    [TestCase(5, 30)]
    [TestCase(0, 90)]
    public void Cancellation_ends_a_batch_before_the_next_labelling(int iterations, int moreRows)
    {
        using var device = (CudaDevice)on.Open();
        using var stop = new CancellationTokenSource();
        float[] few = Samples.Normal(70, 40 * 6), more = Samples.Normal(71, (40 + moreRows) * 6);
        KMeansProblem[] problems = [new(few, 6, 7) { InitialCentroids = few.AsMemory(0, 7 * 6) }, new(more, 6, 7) { InitialCentroids = more.AsMemory(0, 7 * 6) }];
        var before = device.Workspace.Position;
        int labellings = 0;
        device.Launching = kernel =>
        {
            if (kernel.Name == "k_means_assign_norms")
            {
                labellings++;
                stop.Cancel();
            }
        };
        var options = new KMeansOptions { MaximumIterations = iterations, Tolerance = 0 };
        Assert.That(() => KMeans.FitBatch(problems, options, device, stop.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(labellings, Is.EqualTo(1));
        Assert.That(device.Workspace.Position, Is.EqualTo(before));
        Assert.That(
            () => KMeans.Fit(few, 6, options with { Clusters = 7 }, few.AsSpan(0, 7 * 6), device: device, cancellation: stop.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(labellings, Is.EqualTo(1), "cancelled from the beginning");
        Assert.That(device.Workspace.Position, Is.EqualTo(before));
        device.Launching = null;
    }

    [Test]
    public void Weighted_problems_have_launches_of_their_own()
    {
        float[] weights = [.. Enumerable.Range(0, 60).Select(i => 0.5f * (i % 4))];
        KMeansProblem[] problems = [.. Enumerable.Range(0, 4).Select(p =>
        {
            float[] rows = Samples.Normal(80 + p, 60 * 4);
            return new KMeansProblem(rows, 4, 3) { InitialCentroids = rows.AsMemory(0, 3 * 4), Weights = p % 2 == 0 ? weights : default(ReadOnlyMemory<float>) };
        })];
        Assert.That(Groups(problems, new KMeansOptions { MaximumIterations = 0 }), Is.EqualTo(2));
        Assert.That(Groups(problems, new KMeansOptions { MaximumIterations = 0, Metric = ClusterMetric.Cosine }), Is.EqualTo(1), "all have factors");
        _ = Groups(problems, new KMeansOptions { MaximumIterations = 3, Tolerance = 0 });
    }

    [Test]
    public void What_is_each_problems_own_business_is_done_one_by_one()
    {
        KMeansProblem[] problems = [.. Enumerable.Range(0, 3).Select(p => new KMeansProblem(Blobs(90 + p, 80 + p, 4, 3), 4, 3) { Seed = (ulong)p })];
        var options = new KMeansOptions { MaximumIterations = 3, Tolerance = 0 };
        _ = Groups(problems, options with { MaximumTime = TimeSpan.FromHours(1) });
        _ = Groups(problems, options with { TrainingSampleSize = 50 });
        _ = Groups(problems, options with { Algorithm = KMeansAlgorithm.MiniBatch, MiniBatchSize = 20 });
    }

    // Launches of a batch from given centroids, of which none converges, and how often the host waited.
    private (List<string> Launches, int Waits) Work(int problems, int iterations)
    {
        var waits = new CountedWaits();
        using var device = (CudaDevice)on.Open();
        device.Collective = waits;
        var launches = new List<string>();
        device.Launching = kernel => launches.Add(kernel.Name);
        KMeansProblem[] all = [.. Enumerable.Range(0, problems).Select(p =>
        {
            float[] rows = Samples.Normal(30 + p, (150 - p) * 6);
            return new KMeansProblem(rows, 6, 7) { InitialCentroids = rows.AsMemory(0, 7 * 6) };
        })];
        var results = KMeans.FitBatch(all, new KMeansOptions { MaximumIterations = iterations, Tolerance = 0 }, device);
        Assert.That(results.Select(one => one.Iterations), Is.All.EqualTo(iterations));
        device.Launching = null;
        device.Collective = Collective.Alone;
        return (launches, waits.Count);
    }

    // How many parts a batch of (N, D, K) is solved in.
    private int Groups(params (int Rows, int Dimension, int Clusters)[] sizes)
    {
        KMeansProblem[] problems =
        [
            .. sizes.Select((size, p) => new KMeansProblem(Samples.Normal(40 + p, size.Rows * size.Dimension), size.Dimension, size.Clusters)
            {
                InitialCentroids = Samples.Normal(60 + p, size.Clusters * size.Dimension),
            }),
        ];
        return Groups(problems, new KMeansOptions { MaximumIterations = 0 });
    }

    // The same without iterations, where a part is labelled once; with them, how often parts are. Each problem has the bits that it has alone.
    private int Groups(KMeansProblem[] problems, KMeansOptions options)
    {
        using var device = (CudaDevice)on.Open();
        int groups = 0;
        device.Launching = kernel => groups += kernel.Name == "k_means_assign_norms" ? 1 : 0;
        var results = KMeans.FitBatch(problems, options, device);
        device.Launching = null;
        for (int p = 0; p < problems.Length; p++)
        {
            AssertSameBits(results[p], Alone(problems[p], options, device), $"problem {p}");
        }

        return groups;
    }

    // Two that converge soon, two that do not; and one whose last centroids begin as copies.
    private static KMeansProblem[] Problems(int clusters, int dimension)
    {
        int rows = Math.Max(130, clusters + 30);
        float[] copies = Samples.Normal(9, (rows + 3) * dimension), initial = copies.AsSpan(0, clusters * dimension).ToArray();
        for (int k = Math.Max(1, clusters - 2); k < clusters; k++)
        {
            initial.AsSpan(0, dimension).CopyTo(initial.AsSpan(k * dimension));
        }

        return
        [
            new(Blobs(1, rows - 29, dimension, clusters), dimension, clusters) { Seed = 11 },
            new(Samples.Normal(2, (rows - 1) * dimension), dimension, clusters) { Seed = 12 },
            new(Blobs(3, rows, dimension, Math.Max(1, clusters / 2)), dimension, clusters),
            new(Samples.Normal(4, (rows + 17) * dimension), dimension, clusters),
            new(copies, dimension, clusters) { InitialCentroids = initial },
        ];
    }

    // Rows at a few places.
    private static float[] Blobs(int seed, int rows, int dimension, int places)
    {
        float[] centres = Samples.Normal(100 + seed, places * dimension, 5f), values = Samples.Normal(seed, rows * dimension, 0.001f);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] += centres[(i / dimension % places * dimension) + (i % dimension)];
        }

        return values;
    }

    private static KMeansResult Alone(KMeansProblem problem, KMeansOptions options, Device device) => KMeans.Fit(
        problem.Rows.Span, problem.Dimension, options with { Clusters = problem.Clusters, Seed = problem.Seed ?? options.Seed }, problem.InitialCentroids.Span,
        problem.Weights.Span, device);

    private static void AssertSameBits(KMeansResult got, KMeansResult want, string what)
    {
        Assert.Multiple(() =>
        {
            Assert.That(got.Labels, Is.EqualTo(want.Labels), what);
            Assert.That(got.Centroids, Is.EqualTo(want.Centroids), what);
            Assert.That(got.Counts, Is.EqualTo(want.Counts), what);
            Assert.That(got.OwnSimilarity, Is.EqualTo(want.OwnSimilarity), what);
            Assert.That(got.InertiaPerIteration, Is.EqualTo(want.InertiaPerIteration), what);
            Assert.That(got.Inertia, Is.EqualTo(want.Inertia), what);
            Assert.That((got.Stop, got.Restart), Is.EqualTo((want.Stop, want.Restart)), what);
        });
    }
}
