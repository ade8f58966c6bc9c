using System.Text.Json;
using NUnit.Framework;
using Spk.Cli;
using Spk.Engine.Clustering;
using Spk.Engine.Models;
using Spk.Tests.Support;

namespace Spk.Tests.Cli;

/// <summary>spk cluster: every method, what it writes, what scripts read, and what it says to wrong input.</summary>
public class ClusterVerbTests
{
    private const int Dimension = 8, Speakers = 4, Rows = 120;

    private static readonly string[] Methods = ["kmeans", "minibatch", "gmm", "ahc", "pseudo"];
    private static readonly int[] Truth = [.. Enumerable.Range(0, Rows).Select(row => row % Speakers)];
    private static readonly float[] Values = Speech();
    private static readonly string[] Names = [.. Truth.Select((speaker, row) => $"id{speaker}/utterance{row}.wav")];

    private TemporaryFolder _folder = null!;

    [OneTimeSetUp]
    public void Write()
    {
        _folder = new TemporaryFolder();
        NpyFile.Write(In("x.npy"), Values, Rows, Dimension);
        File.WriteAllLines(In("x.ids.txt"), Names);
        NpyFile.Write(In("bare.npy"), Values, Rows, Dimension);
        KaldiArk.Write(In("x.ark"), In("x.scp"), Names, Values, Dimension);
        NpyFile.Write(In("truth.npy"), Truth, Rows);
        File.WriteAllLines(In("truth.txt"), Truth.Select(speaker => $"speaker-{speaker}"));
        File.WriteAllLines(In("truth.csv"), Names.Zip(Truth, (name, speaker) => $"{name},{speaker},day").Reverse().Prepend("path,speaker,session"));
        File.WriteAllLines(In("utt2spk"), Names.Zip(Truth, (name, speaker) => $"{name} s{speaker}").Reverse());
    }

    [OneTimeTearDown]
    public void Remove() => _folder.Dispose();

    [TestCaseSource(nameof(Methods))]
    public void Every_method_finds_the_groups_and_prints_the_names_that_scripts_rely_on(string method)
    {
        string[] linkage = method == "ahc" ? ["--linkage", "average"] : [];
        var run = CommandLine.Run(["cluster", In("x.npy"), "--k", "4", "--method", method, "--metric", "cosine", "--truth", In("truth.npy"), .. linkage, "--json"]);
        Assert.That(run.Code, Is.Zero, run.Error);
        var json = run.Json;
        var metrics = json.GetProperty("metrics");
        Assert.Multiple(() =>
        {
            Assert.That(json.GetProperty("file").GetString(), Is.EqualTo(In("x.npy")));
            Assert.That(json.GetProperty("rows").GetInt32(), Is.EqualTo(Rows));
            Assert.That(json.GetProperty("dimension").GetInt32(), Is.EqualTo(Dimension));
            Assert.That(json.GetProperty("method").GetString(), Is.EqualTo(method));
            Assert.That(json.GetProperty("clusters").GetInt32(), Is.EqualTo(4));
            Assert.That(json.GetProperty("counts").EnumerateArray().Select(c => c.GetInt32()), Is.EqualTo(new[] { 30, 30, 30, 30 }));
            Assert.That(json.GetProperty("seconds").GetDouble(), Is.Positive);
            foreach (string name in new[] { "accuracy", "purity", "nmi", "ami", "ari", "homogeneity", "completeness", "vMeasure", "fowlkesMallows" })
            {
                Assert.That(metrics.GetProperty(name).GetDouble(), Is.EqualTo(1).Within(1e-12), name);
            }

            Assert.That(metrics.GetProperty("classes").GetInt32(), Is.EqualTo(Speakers));
            Assert.That(metrics.GetProperty("silhouette").GetDouble(), Is.InRange(0.5, 1));
            Assert.That(metrics.GetProperty("silhouettePoints").GetInt32(), Is.EqualTo(Rows));
            Assert.That(metrics.GetProperty("calinskiHarabasz").GetDouble(), Is.Positive);
            Assert.That(metrics.GetProperty("daviesBouldin").GetDouble(), Is.Positive);
            Assert.That(Kind(json, "inertia"), Is.EqualTo(method is "gmm" or "ahc" ? JsonValueKind.Null : JsonValueKind.Number));
            Assert.That(Kind(json, "logLikelihood"), Is.EqualTo(method == "gmm" ? JsonValueKind.Number : JsonValueKind.Null));
            Assert.That(Kind(json, "iterations"), Is.EqualTo(method == "ahc" ? JsonValueKind.Null : JsonValueKind.Number));
            Assert.That(Kind(json, "stop"), Is.EqualTo(method == "ahc" ? JsonValueKind.Null : JsonValueKind.String));
            Assert.That(Kind(json, "centroidsFirst"), Is.EqualTo(method == "pseudo" ? JsonValueKind.Number : JsonValueKind.Null));
        });
    }

    [TestCase("camsat")]
    [TestCase("imsat")]
    public void A_network_reports_every_epoch_and_writes_its_labels(string method)
    {
        string labels = In($"{method}.csv");
        var run = CommandLine.Run(
            "cluster", In("x.npy"), "--k", "7", "--method", method, "--hidden", "16", "--epochs", "3", "--batch", "40", "--truth", In("truth.npy"), "--out", labels,
            "--verbose", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        var epochs = run.Json.GetProperty("epochs").EnumerateArray().ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(epochs, Has.Length.EqualTo(3));
            Assert.That(epochs[^1].GetProperty("clusters").GetInt32(), Is.EqualTo(run.Json.GetProperty("clusters").GetInt32()));
            Assert.That(epochs[^1].GetProperty("nmi").GetDouble(), Is.EqualTo(run.Json.GetProperty("metrics").GetProperty("nmi").GetDouble()));
            Assert.That(Kind(epochs[0], "symmetry"), Is.EqualTo(method == "camsat" ? JsonValueKind.Number : JsonValueKind.Null));
            Assert.That(Kind(run.Json, "inertia"), Is.EqualTo(JsonValueKind.Null));
            Assert.That(run.Error, Does.Contain("epoch 3: loss").And.Contain("clusters, label entropy").And.Contain("NMI"));
            Assert.That(run.Error.Contains("views: noise", StringComparison.Ordinal), Is.EqualTo(method == "camsat"));
            Assert.That(File.ReadAllLines(labels), Has.Length.EqualTo(Rows + 1));
        });
    }

    [Test]
    public void Views_beside_the_rows_are_found_and_must_fit_them()
    {
        NpyFile.Write(In("seen.npy"), Values, Rows, Dimension);
        string[] arguments = ["cluster", In("seen.npy"), "--k", "7", "--method", "camsat", "--hidden", "16", "--epochs", "1", "--json"];
        NpyFile.Write(In("seen.views.npy"), [.. Values, .. Values], 2, Rows, Dimension);
        var found = CommandLine.Run(arguments);
        var none = CommandLine.Run([.. arguments, "--views", "none"]);
        NpyFile.Write(In("seen.views.npy"), Values, 1, Rows, Dimension);
        var single = CommandLine.Run(arguments);
        NpyFile.Write(In("odd.npy"), new float[2 * 3 * Dimension], 2, 3, Dimension);
        var odd = CommandLine.Run([.. arguments, "--views", In("odd.npy")]);
        Assert.Multiple(() =>
        {
            Assert.That(found.Code, Is.Zero, found.Error);
            Assert.That(found.Error, Does.Not.Contain("noise"));
            Assert.That(none.Error, Does.Contain("views: noise"));
            Assert.That(single.Error, Does.Contain("seen.views.npy holds an array of shape [1, 120, 8]"));
            Assert.That(odd.Error, Does.Contain("odd.npy holds an array of shape [2, 3, 8]").And.Contain("[views, 120, 8]"));
        });
    }

    [Test]
    public void Figures_are_those_of_the_library()
    {
        var run = CommandLine.Run("cluster", In("x.npy"), "--k", "3", "--seed", "5", "--init", "random", "--restarts", "2", "--tolerance", "0", "--json");
        var want = KMeans.Fit(Values, Dimension, new KMeansOptions { Clusters = 3, Seed = 5, Initialization = KMeansInitialization.RandomRows, Restarts = 2, Tolerance = 0 });
        Assert.Multiple(() =>
        {
            Assert.That(run.Json.GetProperty("inertia").GetDouble(), Is.EqualTo(want.Inertia));
            Assert.That(run.Json.GetProperty("iterations").GetInt32(), Is.EqualTo(want.Iterations));
            Assert.That(run.Json.GetProperty("stop").GetString(), Is.EqualTo("converged"));
            Assert.That(run.Json.GetProperty("counts").EnumerateArray().Select(c => c.GetInt32()), Is.EqualTo(want.Counts));
            Assert.That(run.Json.GetProperty("metrics").GetProperty("silhouette").GetDouble(), Is.EqualTo(FeatureMetrics.Silhouette(Values, Dimension, want.Labels)));
        });
    }

    [TestCase("x.npy")]
    [TestCase("x.ark")]
    [TestCase("x.scp")]
    public void Labels_and_centroids_are_written(string file)
    {
        string table = In($"{file}.labels.csv"), array = In($"{file}.labels.npy"), centroids = In($"{file}.centroids.npy");
        Assert.That(Cluster(file, "--k", "4", "--out", table, "--centroids", centroids).Code, Is.Zero);
        Assert.That(Cluster(file, "--k", "4", "--out", array).Output, Does.Contain($"Labels: {array}"));
        int[] labels = NpyFile.Read(array).ToInt32();
        var want = KMeans.Fit(Values, Dimension, new KMeansOptions { Clusters = 4 });
        Assert.Multiple(() =>
        {
            Assert.That(labels, Is.EqualTo(want.Labels));
            Assert.That(File.ReadAllLines(table), Is.EqualTo(Names.Zip(labels, (name, label) => $"{name},{label}").Prepend("id,cluster")));
            Assert.That(NpyFile.Read(centroids).Shape, Is.EqualTo(new[] { 4, Dimension }));
            Assert.That(NpyFile.ReadSingle(centroids).Values, Is.EqualTo(want.Centroids));
        });
    }

    [Test]
    public void Names_of_a_csv_are_quoted_and_a_matrix_without_names_counts_its_rows()
    {
        NpyFile.Write(In("odd.npy"), [0, 1, 9], 3, 1);
        File.WriteAllLines(In("odd.ids.txt"), ["plain", "with,comma", "with\"quote"]);
        Assert.That(Cluster("odd.npy", "--k", "1", "--out", In("odd.csv")).Code, Is.Zero);
        Assert.That(File.ReadAllText(In("odd.csv")), Is.EqualTo("id,cluster\nplain,0\n\"with,comma\",0\n\"with\"\"quote\",0\n"));
        Assert.That(Cluster("bare.npy", "--k", "1", "--out", In("bare.csv")).Code, Is.Zero);
        Assert.That(File.ReadLines(In("bare.csv")).Skip(1).Take(2), Is.EqualTo(new[] { "0,0", "1,0" }));
    }

    [TestCase("truth.npy")]
    [TestCase("truth.txt")]
    [TestCase("truth.csv")]
    [TestCase("utt2spk")]
    public void Truth_is_read_in_every_form(string file)
    {
        var run = Cluster("x.npy", "--k", "4", "--truth", In(file), "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("metrics").GetProperty("accuracy").GetDouble(), Is.EqualTo(1));
    }

    [Test]
    public void A_sweep_takes_the_highest_silhouette()
    {
        var json = Cluster("x.npy", "--sweep", "2-6:2,5", "--metric", "cosine", "--json").Json;
        Assert.Multiple(() =>
        {
            Assert.That(json.GetProperty("clusters").GetInt32(), Is.EqualTo(4));
            Assert.That(json.GetProperty("sweep").EnumerateArray().Select(row => row.GetProperty("k").GetInt32()), Is.EqualTo(new[] { 2, 4, 6, 5 }));
            Assert.That(json.GetProperty("sweep")[1].GetProperty("silhouette").GetDouble(), Is.EqualTo(json.GetProperty("metrics").GetProperty("silhouette").GetDouble()));
            Assert.That(json.GetProperty("sweep")[1].GetProperty("inertia").GetDouble(), Is.EqualTo(json.GetProperty("inertia").GetDouble()));
        });
        Assert.That(Cluster("x.npy", "--sweep", "3-4", "--metric", "cosine").Output, Does.Contain("K = 3").And.Contain("in 4 clusters"));
    }

    [Test]
    public void The_same_seed_gives_the_same_bytes_for_any_threads()
    {
        byte[][] files = [.. Enumerable.Range(1, 3).Select(threads =>
        {
            string centroids = In($"threads{threads}.npy");
            Assert.That(Cluster("x.npy", "--k", "5", "--seed", "3", "--threads", $"{threads}", "--device", "cpu", "--centroids", centroids).Code, Is.Zero);
            return File.ReadAllBytes(centroids);
        })];
        Assert.That(files, Is.All.EqualTo(files[0]));
    }

    [Test]
    public void Quiet_prints_results_only_and_verbose_names_the_device()
    {
        var quiet = Cluster("x.npy", "--k", "1", "--quiet");
        Assert.That(quiet.Error, Is.Empty);
        Assert.That(quiet.Output, Does.StartWith($"{Rows} rows of size {Dimension} in 1 cluster, ").And.Contain("inertia ").And.Not.Contain("silhouette"));
        Assert.That(Cluster("x.npy", "--k", "2", "--verbose", "--device", "cpu").Error, Does.Contain("device: "));
        Assert.That(Cluster("x.npy", "--k", "2", "--silhouette", "0").Output, Does.Contain("daviesBouldin").And.Not.Contain("silhouettePoints"));
    }

    [Test]
    public void Files_that_hold_no_matrix_are_refused()
    {
        File.WriteAllText(In("text.npy"), "no array");
        NpyFile.Write(In("vector.npy"), new float[6], 6);
        NpyFile.Write(In("empty.npy"), Array.Empty<float>(), 0, 3);
        byte[] complex = File.ReadAllBytes(In("bare.npy"));
        "<c8"u8.CopyTo(complex.AsSpan(complex.AsSpan().IndexOf("<f4"u8)));
        File.WriteAllBytes(In("complex.npy"), complex);
        File.WriteAllBytes(In("short.npy"), File.ReadAllBytes(In("bare.npy"))[..500]);
        NpyFile.Write(In("named.npy"), new float[6], 2, 3);
        File.WriteAllLines(In("named.ids.txt"), ["only one"]);
        Cluster("absent.npy", "--k", "2").AssertRefused(ExitCode.Failure, "absent.npy");
        Cluster("absent.ark", "--k", "2").AssertRefused(ExitCode.Failure, "absent.ark");
        Cluster("text.npy", "--k", "2").AssertRefused(ExitCode.Failure, "text.npy", "not a .npy file");
        Cluster("vector.npy", "--k", "2").AssertRefused(ExitCode.Failure, "vector.npy", "[6]", "[rows, columns]");
        Cluster("empty.npy", "--k", "2").AssertRefused(ExitCode.Failure, "empty.npy", "[0, 3]");
        Cluster("complex.npy", "--k", "2").AssertRefused(ExitCode.Failure, "complex.npy", "'<c8'", "float32");
        Cluster("short.npy", "--k", "2").AssertRefused(ExitCode.Failure, "short.npy", "truncated");
        Cluster("named.npy", "--k", "2").AssertRefused(ExitCode.Failure, "named.ids.txt", "1 rows");
        Cluster("truth.csv", "--k", "2").AssertRefused(ExitCode.Usage, "truth.csv", ".npy, .ark or .scp");
    }

    [TestCaseSource(nameof(Methods))]
    public void A_value_that_is_not_finite_is_named(string method)
    {
        float[] values = [.. Values];
        values[(17 * Dimension) + 3] = float.NaN;
        NpyFile.Write(In("nan.npy"), values, Rows, Dimension);
        File.WriteAllLines(In("nan.ids.txt"), Names);
        Cluster("nan.npy", "--k", "2", "--method", method).AssertRefused(ExitCode.Failure, "nan.npy", "row 17", Names[17], "column 3", "NaN");
    }

    [TestCaseSource(nameof(Methods))]
    public void More_clusters_than_rows_are_refused(string method) =>
        Cluster("x.npy", "--k", $"{Rows + 1}", "--method", method).AssertRefused(ExitCode.Usage, $"K = {Rows + 1}", "x.npy", $"1 to {Rows}");

    [Test]
    public void Truth_that_does_not_fit_is_refused()
    {
        NpyFile.Write(In("few.npy"), [1, 2, 3], 3);
        File.WriteAllLines(In("few.csv"), File.ReadLines(In("truth.csv")).Take(50));
        File.WriteAllLines(In("few.txt"), ["a", "b"]);
        Cluster("x.npy", "--k", "2", "--truth", In("few.npy")).AssertRefused(ExitCode.Failure, "few.npy", "3 classes", $"{Rows} rows");
        Cluster("x.npy", "--k", "2", "--truth", In("few.txt")).AssertRefused(ExitCode.Failure, "few.txt", "2 classes");
        Cluster("x.npy", "--k", "2", "--truth", In("few.csv")).AssertRefused(ExitCode.Failure, "few.csv", "no class for 'id");
        Cluster("x.npy", "--k", "2", "--truth", In("none.txt")).AssertRefused(ExitCode.Failure, "none.txt");
    }

    [Test]
    public void Outputs_that_cannot_be_written_are_refused_before_the_work()
    {
        string inside = Path.Combine(In("truth.txt"), "labels.csv");
        Cluster("x.npy", "--k", "2", "--out", inside).AssertRefused(ExitCode.Failure, "truth.txt");
        Cluster("x.npy", "--k", "2", "--centroids", Path.ChangeExtension(inside, ".npy")).AssertRefused(ExitCode.Failure, "truth.txt");
        Cluster("x.npy", "--k", "2", "--out", In("labels.txt")).AssertRefused(ExitCode.Usage, "--out", ".csv or .npy", "labels.txt");
        Cluster("x.npy", "--k", "2", "--centroids", In("c.csv")).AssertRefused(ExitCode.Usage, "--centroids", ".npy");
    }

    [TestCase("", "--k or --sweep")]
    [TestCase("--k 2 --sweep 2-3", "--k and --sweep")]
    [TestCase("--k two", "--k takes a whole number, not 'two'")]
    [TestCase("--k 0", "--k takes 1 or more, not '0'")]
    [TestCase("--sweep 5-2", "--sweep takes numbers of clusters", "5-2")]
    [TestCase("--sweep 2-", "--sweep")]
    [TestCase("--sweep 2-999", "K = 121", "1 to 120")]
    [TestCase("--k 2 --method dbscan", "--method takes kmeans, minibatch, gmm, ahc, pseudo, camsat or imsat, not 'dbscan'")]
    [TestCase("--k 2 --epochs 3", "--epochs is not for --method kmeans", "camsat, imsat")]
    [TestCase("--k 2 --method imsat --views x.npy", "--views is not for --method imsat")]
    [TestCase("--k 2 --method camsat --learning-rate 0", "--learning-rate takes numbers above 0")]
    [TestCase("--k 2 --method camsat --marginal-share 2", "--marginal-share takes 0 to 1")]
    [TestCase("--k 2 --method camsat --batch 1", "--batch takes 2 or more")]
    [TestCase("--k 2 --method camsat --iterations 1", "--iterations is not for --method camsat")]
    [TestCase("--k 1 --method camsat", "clusters = 1")]
    [TestCase("--k 2 --metric l1", "--metric takes euclidean or cosine")]
    [TestCase("--k 2 --init best", "--init takes plusplus, parallel or random")]
    [TestCase("--k 2 --restarts 0", "--restarts takes 1 to 10,000")]
    [TestCase("--k 2 --iterations -1", "--iterations takes 0 or more")]
    [TestCase("--k 2 --tolerance NaN", "--tolerance takes 0 to 1")]
    [TestCase("--k 2 --silhouette 2", "--silhouette takes 0 or at least 3")]
    [TestCase("--k 2 --linkage average", "--linkage is not for --method kmeans", "ahc")]
    [TestCase("--k 2 --centroids-first 9", "--centroids-first is not for --method kmeans", "pseudo")]
    [TestCase("--k 9 --method pseudo --centroids-first 3", "--centroids-first 3", "--k 9")]
    [TestCase("--k 2 --method ahc --restarts 3", "--restarts is not for --method ahc")]
    [TestCase("--k 2 --method ahc --centroids c.npy", "--centroids is not for --method ahc")]
    [TestCase("--k 2 --method ahc --metric cosine", "--linkage average")]
    [TestCase("--k 2 --method ahc --device cuda", "--device cuda", "CPU only")]
    [TestCase("--sweep 2-3 --method gmm", "--sweep is not for --method gmm")]
    [TestCase("--k 2 --kk 3", "--kk")]
    public void Wrong_usage_is_one_sentence(string options, params string[] words) =>
        Cluster("x.npy", options.Split(' ', StringSplitOptions.RemoveEmptyEntries)).AssertRefused(ExitCode.Usage, words);

    [Test]
    public void Cuda_where_there_is_no_driver_is_refused()
    {
        if (Engine.Devices.CudaProbe.Run().Found)
        {
            Assert.Ignore("skipped, optional: this machine has a CUDA driver");
        }

        Cluster("x.npy", "--k", "2", "--device", "cuda").AssertRefused(ExitCode.Failure, "Device 'cuda' cannot be used", "--device cpu");
    }

    [Test]
    public void Help_shows_every_method_and_examples() =>
        Assert.That(CommandLine.Run("cluster", "--help").Output, Does.Contain("minibatch").And.Contain("pseudo").And.Contain("--truth").And.Contain("spk cluster embeddings.npy --k 100"));

    private static JsonValueKind Kind(JsonElement json, string name) => json.GetProperty(name).ValueKind;

    private string In(string name) => _folder.At(name);

    private CommandLine Cluster(string file, params string[] options) => CommandLine.Run(["cluster", In(file), .. options]);

    // Directions of speakers that are far apart, and utterances close around them.
    private static float[] Speech()
    {
        float[] values = Samples.Normal(1, Rows * Dimension, 0.1f);
        for (int row = 0; row < Rows; row++)
        {
            values[(row * Dimension) + Truth[row]] += 2;
        }

        return values;
    }
}
