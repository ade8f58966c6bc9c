using NUnit.Framework;
using Spk.Engine.Alignment;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Scoring;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Alignment;
using Spk.Training.Evaluation;

namespace Spk.Tests.Alignment;

public class AlignmentTrainerTests
{
    private const string Old = "old-model", New = "new-model";

    private static readonly AlignmentSpec Small = new() { Hidden = 48, Epochs = 30, LearningRate = 3e-3, Speakers = 16, HeldBack = 0, WeightPenalty = 1e-5 };

    [Test]
    public void A_known_rotation_is_recovered([Values] bool wider)
    {
        int size = TwoSpaces.RuntimeSize;
        var (_, runtime) = TwoSpaces.Make(0, 8);
        double[] rotation = OrthogonalFactorTests.Rotation(wider ? size + 3 : size, 5);
        int outputs = wider ? size + 3 : size;
        var turned = new float[runtime.Count * outputs];
        for (int i = 0; i < runtime.Count; i++)
        {
            for (int o = 0; o < outputs; o++)
            {
                turned[(i * outputs) + o] = (float)runtime.Row(i).ToArray().Select((v, d) => v * rotation[(o * outputs) + d]).Sum();
            }
        }

        var enrolment = new EmbeddingTable(runtime.Ids, turned, outputs);
        var data = AlignmentData.Join(enrolment, runtime, TwoSpaces.Speaker);
        using var device = new CpuDevice(1);
        var aligner = AlignmentTrainer.Run(data, Old, New, Small with { Variant = AlignmentVariant.Procrustes }, device).Aligner;
        for (int i = 0; i < runtime.Count; i++)
        {
            Assert.That(aligner.Score(enrolment.Row(i), runtime.Row(i)), Is.EqualTo(1).Within(1e-5));
        }

        // The networks begin there.
        var started = AlignmentTrainer.Run(data, Old, New, Small with { Epochs = 1, LearningRate = 1e-9 }, device).Aligner;
        Assert.That(started.Score(enrolment.Row(3), runtime.Row(3)), Is.EqualTo(1).Within(1e-4));
    }

    [TestCase(AlignmentVariant.ToEnrolment, AlignmentAnchor.Runtime)]
    [TestCase(AlignmentVariant.ToRuntime, AlignmentAnchor.Runtime)]
    [TestCase(AlignmentVariant.Shared, AlignmentAnchor.Runtime)]
    [TestCase(AlignmentVariant.Shared, AlignmentAnchor.Enrolment)]
    [TestCase(AlignmentVariant.Shared, AlignmentAnchor.None)]
    public void A_bent_map_is_learnt_for_speakers_that_were_never_seen(AlignmentVariant variant, AlignmentAnchor anchor)
    {
        double untrained = Eer(AlignmentVariant.Procrustes, anchor, Small);
        double trained = Eer(variant, anchor, Small);
        Assert.That(untrained, Is.GreaterThan(0.1), "a rotation is not enough");
        Assert.That(trained, Is.LessThan(0.8 * untrained), $"{trained} against {untrained}");
    }

    [Test]
    public void Cosines_with_common_speakers_tell_speakers_apart()
    {
        double eer = Eer(AlignmentVariant.SpeakerLogits, AlignmentAnchor.Runtime, Small);
        Assert.That(eer, Is.LessThan(0.4));
    }

    [Test]
    public void Logits_are_cosines_with_centroids_less_their_mean()
    {
        var (x, y) = TwoSpaces.Make(0, 3, 2);
        using var device = new CpuDevice(1);
        var aligner = AlignmentTrainer.Run(AlignmentData.Join(x, y, TwoSpaces.Speaker), Old, New, Small with { Variant = AlignmentVariant.SpeakerLogits }, device).Aligner;
        double[] logits = [.. Enumerable.Range(0, 3).Select(s => Logit(x, 4, s) - Enumerable.Range(0, 6).Average(i => Logit(x, i, s)))];
        double length = Math.Sqrt(logits.Sum(v => v * v));
        Close.Assert(aligner.MapEnrolment(x.Row(4)), [.. logits.Select(v => v / length)], 1e-5, "logits");

        static double Logit(EmbeddingTable table, int row, int speaker) =>
            (table.Cosine(row, 2 * speaker) + table.Cosine(row, (2 * speaker) + 1)) / Math.Sqrt(2 + (2 * table.Cosine(2 * speaker, (2 * speaker) + 1)));
    }

    [Test]
    public void Held_back_speakers_choose_the_epoch()
    {
        var (x, y) = TwoSpaces.Make(0, 40);
        using var device = new CpuDevice(1);
        var data = AlignmentData.Join(x, y, TwoSpaces.Speaker);
        var outcome = AlignmentTrainer.Run(data, Old, New, Small with { HeldBack = 0.25, TargetFar = 0.1, Patience = 3, Epochs = 100 }, device);
        Assert.That((outcome.Speakers, outcome.HeldBack, outcome.Utterances), Is.EqualTo((30, 10, 180)));
        double[] rates = [.. outcome.Epochs.Select(e => e.Frr!.Value)];
        Assert.That(outcome.BestEpoch, Is.EqualTo(Array.IndexOf(rates, rates.Min())).And.GreaterThan(0));
        Assert.That(outcome.Epochs, Has.Count.EqualTo(outcome.BestEpoch + 3 + 1), "it stops when three epochs were no better");
        Assert.That(outcome.Epochs.Select(e => e.Epoch), Is.EqualTo(Enumerable.Range(0, outcome.Epochs.Count)));

        // No speaker is in both parts.
        var (training, heldBack) = data.Split(0.25, 1);
        Assert.That(training.Speakers.Intersect(heldBack!.Speakers), Is.Empty);
        Assert.That(training.Speakers.Concat(heldBack.Speakers), Is.EquivalentTo(data.Speakers));
    }

    [Test]
    public void The_seed_decides_every_bit()
    {
        var (x, y) = TwoSpaces.Make(0, 12, 4);
        var data = AlignmentData.Join(x, y, TwoSpaces.Speaker);
        var spec = Small with { Epochs = 3, OrthogonalPenalty = 0.1, Start = AlignmentStart.Random };
        string Identity(int threads, ulong seed)
        {
            using var device = new CpuDevice(threads);
            return AlignmentTrainer.Run(data, Old, New, spec with { Seed = seed }, device).Aligner.Identity;
        }

        string first = Identity(1, 1);
        Assert.That(Identity(1, 1), Is.EqualTo(first));
        Assert.That(Identity(3, 1), Is.EqualTo(first), "threads change nothing");
        Assert.That(Identity(1, 2), Is.Not.EqualTo(first));
    }

    [Test]
    public void Batches_hold_means_of_the_same_utterances_in_both_models()
    {
        // One table for both models shows that both sides are made of the same utterances.
        var (x, _) = TwoSpaces.Make(0, 5, 7);
        var data = AlignmentData.Join(x, x, TwoSpaces.Speaker);
        var batches = new AlignmentBatches(data, Small with { Speakers = 3, Vectors = 4, Averaged = 3, AveragedShare = 0.5 });
        int singles = 0, rows = 0;
        for (int number = 0; number < batches.Count; number++)
        {
            batches.Read(1, number);
            Assert.That(batches.Runtime, Is.EqualTo(batches.Enrolment));
            for (int row = 0; row < batches.Rows; row++)
            {
                float[] vector = batches.Enrolment[(row * x.Dimension)..((row + 1) * x.Dimension)];
                Assert.That(vector.Sum(v => (double)v * v), Is.EqualTo(1).Within(1e-5));
                double nearest = Enumerable.Range(0, x.Count).Max(i => x.Row(i).ToArray().Zip(vector, (a, b) => (double)a * b).Sum());
                singles += nearest > 1 - 1e-6 ? 1 : 0;
                rows++;
            }
        }

        Assert.That(rows, Is.EqualTo(36));
        Assert.That(singles, Is.InRange(rows / 3, rows - 4), "some are of one utterance, some are means");
    }

    [Test]
    public void Bad_data_are_refused()
    {
        var (x, y) = TwoSpaces.Make(0, 4, 3);
        var (others, _) = TwoSpaces.Make(50, 4, 3);
        using var device = new CpuDevice(1);
        Assert.Multiple(() =>
        {
            Assert.That(() => AlignmentData.Join(x, others, TwoSpaces.Speaker), Throws.TypeOf<DataFormatException>().With.Message.Contains("no utterance in common").And.Message.Contains("s000/0.wav"));
            Assert.That(() => AlignmentData.Join(x, y, id => id == "s001/1.wav" ? null : "s"), Throws.TypeOf<DataFormatException>().With.Message.Contains("1 of 12").And.Message.Contains("s001/1.wav"));
            Assert.That(() => AlignmentData.Join(x, y, _ => "alone"), Throws.TypeOf<DataFormatException>().With.Message.Contains("alone"));
            Assert.That(
                () => AlignmentData.Join(x, new EmbeddingTable(["s000/0.wav"], new float[4], 4), TwoSpaces.Speaker), Throws.TypeOf<DataFormatException>().With.Message.Contains("zero vector"));
            var data = AlignmentData.Join(x, y, TwoSpaces.Speaker);
            void Refused(AlignmentSpec spec, string word) =>
                Assert.That(() => AlignmentTrainer.Run(data, Old, New, spec, device), Throws.TypeOf<InvalidOptionException>().With.Message.Contains(word));
            Refused(Small with { HeldBack = 0.5, TargetFar = 0.01 }, "too few");
            Refused(Small with { HeldBack = 0.9 }, "held back");
            Refused(Small with { Epochs = 0 }, "epochs = 0");
            Refused(Small with { Vectors = 1 }, "vectors = 1");
            Refused(Small with { LearningRate = double.NaN }, "learning rate");
            Assert.That(() => AlignmentTrainer.Run(data, Old, New, Small with { LearningRate = 1e30 }, device), Throws.TypeOf<NonFiniteException>());
            Assert.That(() => AlignmentTrainer.Run(data, Old, New, Small, device, cancellation: new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
        });
    }

    private static double Eer(AlignmentVariant variant, AlignmentAnchor anchor, AlignmentSpec spec)
    {
        var (x, y) = TwoSpaces.Make(0, 60);
        using var device = new CpuDevice(1);
        var aligner = AlignmentTrainer.Run(AlignmentData.Join(x, y, TwoSpaces.Speaker), Old, New, spec with { Variant = variant, Anchor = anchor }, device).Aligner;
        var (unseen, test) = TwoSpaces.Make(200, 20);
        var trials = TwoSpaces.Trials(unseen);
        var options = new EvaluationOptions { BootstrapDraws = 0 };
        return TrialEvaluation.Run(trials, TrialEvaluation.Score(trials, aligner.MapEnrolments(unseen), aligner.MapRuntimes(test)), options).Eer;
    }
}

/// <summary>What training is made of, on the CPU and on CUDA.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class AlignmentPartsTests(TestDevice on)
{
    [TestCase(2)]
    [TestCase(3)]
    public void The_contrast_and_its_gradient_are_those_of_the_definition(int vectors)
    {
        const int Speakers = 4, Size = 5;
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [
                ("first", new Shape(vectors * Speakers, Size), Samples.Normal(11, vectors * Speakers * Size)),
                ("second", new Shape(vectors * Speakers, Size), Samples.Normal(12, vectors * Speakers * Size)),
                ("scale", new Shape(1), [7f]),
            ],
            (tape, v) => CrossModelContrast.Forward(tape, v[0], v[1], vectors, v[2]),
            v => [(OneWay(v[0], v[1], v[2][0]) + OneWay(v[1], v[0], v[2][0])) / 2]);

        double OneWay(double[] profiles, double[] queries, double scale)
        {
            double sum = 0;
            for (int own = 0; own < vectors; own++)
            {
                for (int s = 0; s < Speakers; s++)
                {
                    double[] logits = [.. Enumerable.Range(0, Speakers).Select(k => scale * Cosine(Row(queries, own, s), Centroid(profiles, own, k)))];
                    sum += Math.Log(logits.Sum(Math.Exp)) - logits[s];
                }
            }

            return sum / (vectors * Speakers);
        }

        double[] Row(double[] rows, int vector, int speaker) => rows[(((vector * Speakers) + speaker) * Size)..(((vector * Speakers) + speaker + 1) * Size)];

        double[] Centroid(double[] rows, int without, int speaker) =>
            [.. Enumerable.Range(0, Size).Select(d => Enumerable.Range(0, vectors).Where(v => v != without).Sum(v => Row(rows, v, speaker)[d]))];

        static double Cosine(double[] a, double[] b) =>
            a.Zip(b, (x, y) => x * y).Sum() / Math.Sqrt(a.Sum(x => x * x) * b.Sum(y => y * y));
    }

    [Test]
    public void A_folded_network_maps_as_the_network_does()
    {
        using var device = on.Open();
        var parameters = new ParameterSet(device);
        var network = new AlignmentNetwork(parameters, "net", 5, 3, 7);
        parameters.Allocate(3);
        float[] values = Samples.Normal(13, 6 * 5);
        var table = new EmbeddingTable([.. Enumerable.Range(0, 6).Select(i => $"u{i}")], values, 5);
        for (int step = 0; step < 3; step++)
        {
            // Running statistics that are no longer 0 and 1.
            network.Forward(null, Samples.Constant(device, new Shape(6, 5), table.Values), training: true);
        }

        float[] want = Samples.Read(network.Forward(null, Samples.Constant(device, new Shape(6, 5), table.Values), training: false)), got = new float[3];
        var map = network.Fold();
        for (int i = 0; i < 6; i++)
        {
            map.Apply(table.Row(i), got);
            Close.Assert(got, [.. want[(i * 3)..((i + 1) * 3)].Select(v => (double)v)], 1e-5, $"row {i}");
        }
    }

    [TestCase(AlignmentVariant.Shared)]
    [TestCase(AlignmentVariant.ToEnrolment)]
    public void Training_takes_the_same_way_on_every_device(AlignmentVariant variant)
    {
        var (x, y) = TwoSpaces.Make(0, 5, 3);
        var data = AlignmentData.Join(x, y, TwoSpaces.Speaker);
        var spec = new AlignmentSpec { Variant = variant, Hidden = 9, Epochs = 2, Speakers = 5, Vectors = 3, HeldBack = 0, OrthogonalPenalty = 0.1 };
        using var device = on.Open();
        using var cpu = new CpuDevice(1);
        var got = AlignmentTrainer.Run(data, "a", "b", spec, device);
        var want = AlignmentTrainer.Run(data, "a", "b", spec, cpu);
        Assert.That(got.Epochs[^1].Loss, Is.EqualTo(want.Epochs[^1].Loss).Within(1e-4 * Math.Abs(want.Epochs[^1].Loss)));
        Close.Assert(got.Aligner.MapRuntime(y.Row(2)), [.. want.Aligner.MapRuntime(y.Row(2)).Select(v => (double)v)], 1e-3, "map");
    }
}
