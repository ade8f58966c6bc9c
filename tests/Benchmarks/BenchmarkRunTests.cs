using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Benchmarks;

namespace Spk.Tests.Benchmarks;

public class BenchmarkRunTests
{
    private static readonly MachineCeilings Known = new(10e9, 100e9, 200e9, 400e9, "test");

    [Test]
    public void A_bound_is_the_longer_of_moving_and_computing()
    {
        Assert.That(Known.Bound(20e9, 100e9, Precision.Fp32), Is.EqualTo(2));
        Assert.That(Known.Bound(5e9, 100e9, Precision.Fp32), Is.EqualTo(1));
        Assert.That(Known.Bound(0, 100e9, Precision.Bf16), Is.EqualTo(0.25));
        Assert.That((Known with { Bf16 = 0 }).Bound(0, 100e9, Precision.Bf16), Is.EqualTo(1), "a device without tensor cores computes in fp32");
    }

    [Test]
    public void Ceilings_of_a_processor_are_above_what_scalar_code_reaches()
    {
        using var device = new CpuDevice(1);
        var ceilings = MachineCeilings.Of(device)!;
        Assert.That(ceilings.BytesPerSecond, Is.InRange(1e8, 1e13));
        Assert.That(ceilings.Fp32, Is.InRange(1e9, 1e14));
    }

    [Test]
    public void A_case_is_timed_with_what_it_moves_and_allocates()
    {
        var heard = new List<BenchmarkResult>();
        var results = BenchmarkRun.Measure(new BenchmarkOptions { Cases = ["mix_noise", "stats_pool"], Threads = 1, Budget = 0.02 }, Known, heard.Add);
        Assert.That(results.Select(r => r.Name), Is.EqualTo(new[] { "mix_noise", "stats_pool_forward", "stats_pool_forward_backward" }));
        Assert.That(heard, Is.EqualTo(results));
        foreach (var result in results)
        {
            Assert.That(result.Fast, Is.GreaterThan(0).And.LessThanOrEqualTo(result.Median));
            Assert.That(result.Slow, Is.GreaterThanOrEqualTo(result.Median));
            Assert.That(result.Calls, Is.GreaterThanOrEqualTo(3));
            Assert.That(result.AllocatedBytes, Is.Zero, "ops of a training step allocate nothing");
            Assert.That(result.ShareOfBound, Is.EqualTo(Known.Bound(result.Bytes, result.Operations, Precision.Fp32) / result.Median).Within(1e-12));
        }
    }

    [Test]
    public void Every_group_makes_cases_that_run_once()
    {
        var sizes = new HashSet<string>();
        foreach (var group in BenchmarkCatalog.Groups.Where(g => !g.NeedsGpu && g.Prefix is not ("gemm" or "sgemm" or "ecapa_c512" or "layers_ecapa_c512" or "layers_xvector" or "layers_step_ecapa_c512" or "layers_step_xvector" or "kmeans" or "kmeans_small" or "cosine_top_k" or "cosine_score" or "cosine_score_eer" or "ntxent_am_fwd_bwd")))
        {
            using var device = new CpuDevice(2);
            foreach (var one in group.Make(device))
            {
                Assert.That(one.Name, Does.StartWith(group.Prefix));
                Assert.That(BenchmarkCatalog.GroupsOf([BenchmarkResult.KeyOf(one.Name, one.Sizes, Precision.Fp32, cold: false)]), Has.Member(group), $"asked for {one.Name}");
                Assert.That(sizes.Add($"{one.Name} {string.Join(',', one.Sizes)}"), Is.True, $"{one.Name} cannot be told from another case");
                one.Run();
                one.Owned?.Dispose();
            }
        }
    }

    [Test]
    public void Unknown_cases_and_times_are_refused()
    {
        Assert.That(() => BenchmarkRun.Measure(new BenchmarkOptions { Cases = ["sgemmm"] }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("'sgemmm'"));
        Assert.That(() => BenchmarkRun.Measure(new BenchmarkOptions { Budget = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("0 s"));
    }

    [Test]
    public void Sizes_choose_among_cases_of_one_name()
    {
        var missing = new List<string>();
        IReadOnlyList<BenchmarkResult> Measure(params string[] cases) =>
            BenchmarkRun.Measure(new BenchmarkOptions { Cases = cases, Threads = 1, Budget = 0.01 }, failed: (name, reason) => missing.Add($"{name}: {reason}"));
        var all = Measure("crop_gather");
        Assert.That(all, Has.Count.EqualTo(1));
        Assert.That(Measure(all[0].Key).Single().Key, Is.EqualTo(all[0].Key));
        Assert.That(missing, Is.Empty);

        // Two operations of one group: the bracket keeps the longer name out.
        Assert.That(Measure("stats_pool_forward [", "crop_gather [none").Select(r => r.Name), Is.EqualTo(new[] { "stats_pool_forward" }));
        Assert.That(missing.Single(), Does.StartWith("crop_gather [none: this device has no case"));
        Assert.That(() => Measure("crop_gather [none"), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("'crop_gather [none'"));
    }

    [TestCase("kmeans_small [", "kmeans_small")]
    [TestCase("kmeans", "kmeans kmeans_batch kmeans_separated kmeans_small")]
    [TestCase("kmeans [", "kmeans")]
    [TestCase("conv1d_forward", "conv1d")]
    [TestCase("conv1d_norm_inference", "conv1d_norm")]
    [TestCase("cosine_score", "cosine_score cosine_score_eer")]
    [TestCase("gem", "gemm")]
    [TestCase("fast", "")]
    public void Names_choose_the_fewest_groups(string asked, string groups) =>
        Assert.That(string.Join(' ', BenchmarkCatalog.GroupsOf([asked]).Select(g => g.Prefix).Distinct().Order(StringComparer.Ordinal)), Is.EqualTo(groups));

    [Test]
    public void Cases_that_a_cpu_leaves_out_say_so() =>
        Assert.That(
            () => BenchmarkRun.Measure(new BenchmarkOptions { Cases = ["kmeans_batch"], Threads = 1, Budget = 0.02 }),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("need a GPU"));

    [Test]
    public void It_can_be_cancelled()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.That(
            () => BenchmarkRun.Measure(new BenchmarkOptions { Cases = ["mix_noise"], Threads = 1, Budget = 0.02 }, cancellation: stop.Token),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void Results_come_back_from_their_file()
    {
        using var folder = new TemporaryFolder();
        var results = BenchmarkRun.Measure(new BenchmarkOptions { Cases = ["mix_noise"], Threads = 1, Budget = 0.01 }, Known);
        var file = new BenchmarkFile(new Dictionary<string, string> { ["device"] = "cpu é" }, results);
        file.Write(folder.At("results.json"));
        var read = BenchmarkFile.Read(folder.At("results.json"));
        Assert.That(read.Machine["device"], Is.EqualTo("cpu é"));
        Assert.That(read.ToJson().ToJsonString(), Is.EqualTo(file.ToJson().ToJsonString()));
        Assert.That(read.Results[0].Key, Is.EqualTo("mix_noise [utterances 32, seconds 2] fp32"));
    }

    [TestCase("{}")]
    [TestCase("[1]")]
    [TestCase("not json")]
    [TestCase("""{"machine":{},"results":[{"case":"x","params":{},"precision":"fp32","cold":false,"median_s":"fast"}]}""")]
    [TestCase("""{"machine":{},"results":[{"case":"x","params":{},"precision":"fp7","cold":false,"median_s":1}]}""")]
    public void Other_files_are_refused(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("results.json"), text);
        Assert.That(() => BenchmarkFile.Read(folder.At("results.json")), Throws.TypeOf<DataFormatException>().With.Message.StartsWith(folder.At("results.json")));
        Assert.That(() => BenchmarkFile.Read(folder.At("none.json")), Throws.TypeOf<DataFormatException>().With.Message.Contains("no such file"));
    }

    [Test]
    public void The_fastest_line_of_the_same_work_is_the_peer()
    {
        using var folder = new TemporaryFolder();
        string[] lines =
        [
            """{"cpu": "a description of the machine"}""",
            """{"case": "kmeans_torch", "params": {"N": 100, "K": 5, "iters": 1, "variant": "eager"}, "throughput": 7}""",
            """{"case": "kmeans_faiss", "params": {"N": 100, "K": 5, "iters": 1}, "throughput": 9, "median_s": 3, "min_s": 2}""",
            """{"case": "kmeans_faiss", "params": {"N": 100, "K": 6, "iters": 1}, "throughput": 11}""",
            """{"case": "kmeans_torch", "params": {"N": 100, "K": 5, "iters": 1}, "threads": 3, "throughput": 8}""",
            """{"case": "kmeans_torch", "params": {"N": 100, "K": 5, "iters": 1, "precision": "bf16"}, "throughput": 13}""",
            """{"case": "kmeans_cuml", "params": {"N": 100, "K": 5}, "error": "out of memory"}""",
        ];
        File.WriteAllLines(folder.At("lines.json"), lines);
        File.WriteAllText(folder.At("object.json"), $$"""{"results": [{{string.Join(',', lines)}}]}""");
        var result = new BenchmarkResult
        {
            Name = "kmeans",
            Sizes = [new("N", 100), new("K", 5), new("D", 3)],
            Precision = Precision.Fp32,
            Cold = false,
            Median = 1,
            Fast = 1,
            Slow = 1,
            Calls = 1,
            Unit = "points/s",
            Work = 1,
            AllocatedBytes = 0,
        };
        File.WriteAllText(folder.At("array.json"), $"[{string.Join(',', lines)}]");
        foreach (string name in new[] { "lines.json", "object.json", "array.json" })
        {
            var peers = PeerResults.Read(folder.At(name));
            Assert.That(peers.Fastest(result), Is.EqualTo(new PeerLine("kmeans_faiss", 9, 0.5)), name);
            Assert.That(peers.Fastest(result with { Precision = Precision.Bf16 })?.Throughput, Is.EqualTo(13), name);
            Assert.That(peers.Fastest(result with { Name = "sgemm" }), Is.Null, name);
            Assert.That(peers.Fastest(result with { Name = "kmeans_torch" }, 3)?.Throughput, Is.EqualTo(8), "threads of its own");
            Assert.That(peers.Fastest(result with { Name = "kmeans_torch" }, 2)?.Throughput, Is.EqualTo(7), "three threads are other work");
        }

        File.WriteAllText(folder.At("empty.json"), lines[0]);
        Assert.That(() => PeerResults.Read(folder.At("empty.json")), Throws.TypeOf<DataFormatException>().With.Message.StartsWith(folder.At("empty.json")));
    }
}
