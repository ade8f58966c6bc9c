using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Objectives;

namespace Spk.Tests.Objectives;

/// <summary>Heads and mixing of the classifier, against the ops they are made of.</summary>
public class ClassifierTests
{
    private const int Batch = 8, Size = 8, Classes = 10;

    [TestCase(ClassifierHead.Margin)]
    [TestCase(ClassifierHead.Softmax)]
    [TestCase(ClassifierHead.OcSoftmax)]
    [TestCase(ClassifierHead.AdaFace)]
    public void Every_head_is_its_op_with_the_labels_of_both_rows(ClassifierHead head)
    {
        using var fixture = new Fixture($"objective.head.kind={char.ToLowerInvariant($"{head}"[0])}{$"{head}"[1..]}", "objective.mix.kind=embedding", "objective.margin=0.3");
        var objective = (SpeakerClassifier)fixture.Pipeline.Objective;
        var batch = fixture.Pipeline.Batches.Read(0, 0);
        var place = new StepPlace(5, 0, 0.3f);
        Assert.That(objective.Input(batch, place), Is.SameAs(batch.Waves));
        objective.Prepare(batch, place);
        float loss = objective.Classify(null, fixture.Embeddings).AsSpan()[0];

        var mixer = new RowMixer(fixture.Pipeline.Recipe.Objective.Mix, Batch, fixture.Pipeline.Recipe.Training.Seed);
        mixer.Draw(5);
        var mix = mixer.Upload(fixture.Device);
        int[] own = batch.Speakers.ToArray();
        var labels = fixture.Labels(own);
        var both = new LabelMix(fixture.Labels([.. mixer.Partners.ToArray().Select(p => own[p])]), mix.Weights);
        var weight = fixture.Parameter("objective.weight").Value;
        Assert.That(weight.Shape, Is.EqualTo(new Shape(Classes, Size)));
        var want = head switch
        {
            ClassifierHead.Softmax => CrossEntropy.Forward(null, Linear.Forward(null, fixture.Embeddings, weight, fixture.Parameter("objective.bias").Value), labels, both),
            ClassifierHead.OcSoftmax => OneClassSoftmax.Forward(null, fixture.Embeddings, weight, labels, new OneClassOptions { Mix = both }, out _),
            ClassifierHead.AdaFace => MarginClassifier.Forward(
                null, fixture.Embeddings, weight, labels,
                new MarginClassifierOptions { Margin = 0.3f, Mix = both, Adaptive = new AdaptiveMargin(fixture.Device.AllocatePersistent(new Shape(3))) }, out _),
            _ => MarginClassifier.Forward(
                null, fixture.Embeddings, weight, labels, new MarginClassifierOptions { Kind = MarginKind.Additive, Margin = 0.3f, Mix = both }, out _),
        };
        Assert.That(loss, Is.EqualTo(want.AsSpan()[0]));
        Assert.That(objective.Statistics.HitRate, Is.InRange(0, 1));
    }

    [Test]
    public void Sub_centres_and_hard_classes_are_those_of_the_recipe()
    {
        using var fixture = new Fixture("objective.head.subCentres=3", "objective.head.hardNegatives=4", "objective.head.hardMargin=0.1");
        var objective = (SpeakerClassifier)fixture.Pipeline.Objective;
        var batch = fixture.Pipeline.Batches.Read(0, 0);
        objective.Prepare(batch, new StepPlace(0, 0, 0.2f));
        float loss = objective.Classify(null, fixture.Embeddings).AsSpan()[0];
        var weight = fixture.Parameter("objective.weight").Value;
        Assert.That(weight.Shape, Is.EqualTo(new Shape(3 * Classes, Size)));
        var options = new MarginClassifierOptions { Kind = MarginKind.Additive, Margin = 0.2f, SubCentres = 3, HardNegatives = 4, HardMargin = 0.1f };
        Assert.That(loss, Is.EqualTo(MarginClassifier.Forward(null, fixture.Embeddings, weight, fixture.Labels([.. batch.Speakers]), options, out _).AsSpan()[0]));
        Assert.That(
            () => TinyCorpus.Recipe("objective.kind=supervised", "data.views=1", "data.pairing=random", "objective.head.kind=softmax", "objective.head.subCentres=2"),
            Throws.TypeOf<Spk.Interop.InvalidOptionException>().With.Message.Contains("objective.head.subCentres = 2"));
    }

    [Test]
    public void Mixed_waves_are_those_of_the_batch_in_the_shares_of_the_labels()
    {
        using var fixture = new Fixture("objective.mix.kind=input");
        var batch = fixture.Pipeline.Batches.Read(0, 0);
        float[] waves = Samples.Read(batch.Waves), mixed = Samples.Read(fixture.Pipeline.Objective.Input(batch, new StepPlace(3, 0)));
        var mixer = new RowMixer(new MixSpec(), Batch, fixture.Pipeline.Recipe.Training.Seed);
        mixer.Draw(3);
        int length = waves.Length / Batch;
        for (int row = 0; row < Batch; row++)
        {
            float share = mixer.Weights[row];
            for (int i = 0; i < length; i += 97)
            {
                Assert.That(mixed[(row * length) + i], Is.EqualTo((share * waves[(row * length) + i]) + ((1 - share) * waves[(mixer.Partners[row] * length) + i])).Within(1e-6));
            }
        }
    }

    [Test]
    public void Pooled_vectors_are_mixed_ahead_of_the_embedding()
    {
        using var device = new CpuDevice(1);
        var parameters = new ParameterSet(device);
        var encoder = Spk.Engine.Encoders.Encoder.Create(new Spk.Engine.Encoders.EncoderSpec { Bins = 6, Width = 4, LastWidth = 6, EmbeddingSize = 5, Segment = false }, parameters);
        parameters.Allocate(1);
        var features = Samples.Constant(device, new Shape(2, 20, 6), Samples.Normal(1, 2 * 20 * 6));
        float[] plain = Samples.Read(encoder.Forward(null, features, training: true));
        var partners = device.Workspace.Rent(new Shape(2), ElementType.Int32);
        partners.CopyIntsFrom([1, 0]);
        var mixed = Samples.Read(encoder.Forward(null, features, training: true, new RowMix(partners, Samples.Constant(device, new Shape(2), [0.75f, 1]))));

        // Without a segment layer all that follows pooling is linear.
        for (int i = 0; i < 5; i++)
        {
            Assert.That(mixed[i], Is.EqualTo((0.75f * plain[i]) + (0.25f * plain[5 + i])).Within(1e-5));
            Assert.That(mixed[5 + i], Is.EqualTo(plain[5 + i]).Within(1e-6));
        }
    }

    // Of max(λ, 1 − λ) with λ of Beta(α, α): 3/4 where α is 1, 1/2 + 1/π where it is 1/2 (arcsine law).
    [TestCase(1f, 0.75)]
    [TestCase(0.5f, 0.8183)]
    [TestCase(0.01f, 0.9931)]
    [TestCase(30f, 0.5513)]
    public void Shares_follow_the_beta_distribution(float alpha, double mean)
    {
        var mixer = new RowMixer(new MixSpec { Alpha = alpha }, 400, 9);
        double sum = 0;
        for (int step = 0; step < 50; step++)
        {
            mixer.Draw(step);
            Assert.That(mixer.Partners.ToArray().Order(), Is.EqualTo(Enumerable.Range(0, 400)), "partners are a permutation");
            sum += mixer.Weights.ToArray().Sum(w => (double)w) / 400;
            Assert.That(mixer.Weights.ToArray(), Is.All.InRange(0.5, 1));
        }

        Assert.That(sum / 50, Is.EqualTo(mean).Within(0.006));
    }

    [Test]
    public void Draws_depend_on_seed_and_step_only_and_allocate_nothing()
    {
        var (a, b) = (new RowMixer(new MixSpec(), 33, 1), new RowMixer(new MixSpec(), 33, 1));
        a.Draw(7);
        b.Draw(2);
        Assert.That(b.Weights.ToArray(), Is.Not.EqualTo(a.Weights.ToArray()));
        b.Draw(7);
        Assert.That(b.Weights.ToArray(), Is.EqualTo(a.Weights.ToArray()));
        Assert.That(b.Partners.ToArray(), Is.EqualTo(a.Partners.ToArray()));
        using var device = new CpuDevice(1);
        int[] labels = new int[33];
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            a.Draw(8);
            a.Labels(labels, a.Upload(device));
        });
    }

    private sealed class Fixture : IDisposable
    {
        public Fixture(params string[] overrides)
        {
            Pipeline = new TrainingPipeline(TinyCorpus.Recipe(["objective.kind=supervised", "data.views=1", "data.pairing=random", .. overrides]), Device, null, CancellationToken.None);
            Embeddings = Device.AllocatePersistent(new Shape(Batch, Size));
            Embeddings.CopyFrom(Samples.Normal(1, Batch * Size));
        }

        public CpuDevice Device { get; } = new(1);

        public TrainingPipeline Pipeline { get; }

        public Tensor Embeddings { get; }

        public Parameter Parameter(string name) => Pipeline.Parameters.Trainable.First(p => p.Name == name);

        public Tensor Labels(int[] labels)
        {
            var tensor = Device.Workspace.Rent(new Shape(labels.Length), ElementType.Int32);
            tensor.CopyIntsFrom(labels);
            return tensor;
        }

        public void Dispose()
        {
            Pipeline.Dispose();
            Device.Dispose();
        }
    }
}
