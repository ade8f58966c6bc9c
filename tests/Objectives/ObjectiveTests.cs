using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Objectives;
using Spk.Training.Positives;

namespace Spk.Tests.Objectives;

public class ObjectiveTests
{
    private const int Batch = 8, Size = 8;

    [Test]
    public void SimClr_pairs_the_first_half_with_the_second()
    {
        using var fixture = new Fixture("objective.kind=simClr", "objective.temperature=0.2");
        var embeddings = fixture.Embeddings();
        var objective = (SimClr)Create(fixture.Pipeline.Recipe.Objective, fixture.Context);
        objective.Prepare(fixture.Pipeline.Batches.Read(0, 0), new StepPlace(0, 0, 0.1f));
        var loss = objective.Compare(null, embeddings.Slice(0, Batch), embeddings.Slice(Batch, Batch));
        var want = NtXent.Forward(null, embeddings.Slice(0, Batch), embeddings.Slice(Batch, Batch), 0.2f, true, MarginKind.Additive, 0.1f);
        Assert.That(loss.AsSpan()[0], Is.EqualTo(want.AsSpan()[0]));
        Assert.That(objective.Statistics.PositiveCosine, Is.InRange(-1, 1));
        Assert.That(objective.Statistics.HitRate, Is.InRange(0, 1));
    }

    [Test]
    public void The_oracle_mask_takes_utterances_of_the_same_speaker_out_of_the_negatives()
    {
        using var fixture = new Fixture();
        var embeddings = fixture.Embeddings();
        var batch = fixture.Pipeline.Batches.Read(0, 0);
        batch.SpeakersForWrite.Clear();
        batch.SpeakersForWrite[0] = 1;
        var masked = Loss(fixture, batch, embeddings, oracle: true);
        batch.SpeakersForWrite[3] = 2;
        Assert.That(Loss(fixture, batch, embeddings, oracle: true), Is.GreaterThan(masked), "one speaker more is one negative more");
        Assert.That(Loss(fixture, batch, embeddings, oracle: false), Is.GreaterThan(masked));
    }

    [Test]
    public void The_classifier_gives_every_view_its_speaker()
    {
        using var fixture = new Fixture();
        var embeddings = fixture.Embeddings();
        var batch = fixture.Pipeline.Batches.Read(0, 0);
        var spec = new ObjectiveSpec { Kind = ObjectiveKind.Supervised, MarginKind = MarginKind.AdditiveAngular, Margin = 0.2f };
        var objective = (SpeakerClassifier)Create(spec, fixture.Context);
        objective.Allocate(1);
        objective.Prepare(batch, new StepPlace(0, 0, 0.2f));
        var loss = objective.Classify(null, embeddings);

        var labels = fixture.Device.Workspace.Rent(new Shape(2 * Batch), ElementType.Int32);
        for (int i = 0; i < 2 * Batch; i++)
        {
            labels.AsIntSpan()[i] = batch.Speakers[i % Batch];
        }

        var weight = objective.Parameters.Trainable[^1];
        var want = MarginClassifier.Forward(null, embeddings, weight, labels, MarginKind.AdditiveAngular, 30, 0.2f);
        Assert.That(weight.Name, Is.EqualTo("objective.weight"));
        Assert.That(weight.Shape, Is.EqualTo(new Shape(fixture.Pipeline.Corpus.Speakers.Count, Size)));
        Assert.That(loss.AsSpan()[0], Is.EqualTo(want.AsSpan()[0]));
    }

    [Test]
    public void Speakers_that_are_not_trained_on_have_no_class()
    {
        using var fixture = new Fixture();
        var corpus = fixture.Pipeline.Corpus;
        int[] members = [.. Enumerable.Range(0, corpus.Count).Where(u => corpus.SpeakerOf(u) is 2 or 5 or 9)];
        var objective = (SpeakerClassifier)Create(new ObjectiveSpec { Kind = ObjectiveKind.Supervised }, fixture.Context with { Utterances = members });
        objective.Allocate(1);
        var weight = objective.Parameters.Trainable[^1];
        Assert.That(weight.Shape, Is.EqualTo(new Shape(3, Size)));
        var batch = fixture.Pipeline.Batches.Read(0, 0);
        int[] speakers = [9, 2, 5, 9, 2, 2, 5, 9];
        int[] utterances = [.. speakers.Concat(speakers).Select(s => members.First(u => corpus.SpeakerOf(u) == s))];
        utterances.CopyTo(batch.CropUtterancesForWrite);
        objective.Prepare(batch, default);
        var labels = fixture.Device.Workspace.Rent(new Shape(2 * Batch), ElementType.Int32);
        labels.CopyIntsFrom([.. speakers.Concat(speakers).Select(s => s == 2 ? 0 : s == 5 ? 1 : 2)]);
        var embeddings = fixture.Embeddings();
        var want = MarginClassifier.Forward(null, embeddings, weight, labels, MarginKind.Additive, 30, 0);
        Assert.That(objective.Classify(null, embeddings).AsSpan()[0], Is.EqualTo(want.AsSpan()[0]));
    }

    [Test]
    public void What_the_corpus_lacks_is_named()
    {
        using var fixture = new Fixture();
        var unlabelled = fixture.Context with { Corpus = null };
        Assert.Multiple(() =>
        {
            Assert.That(() => Create(new ObjectiveSpec { Kind = ObjectiveKind.Supervised }, unlabelled),
                Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("objective.kind = supervised: the training manifest names 0 speakers"));
            Assert.That(() => Create(new ObjectiveSpec { OracleMask = true }, unlabelled),
                Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("objective.oracleMask = true"));
            Assert.That(() => Create(new ObjectiveSpec(), fixture.Context with { Views = 3 }),
                Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("data.views = 3"));
        });
    }

    private static Objective Create(ObjectiveSpec spec, ObjectiveContext context) => Objective.Create(spec, new PositiveSamplingSpec(), context);

    private static float Loss(Fixture fixture, Spk.Training.Data.TrainingBatch batch, Tensor embeddings, bool oracle)
    {
        var spec = new ObjectiveSpec { OracleMask = oracle };
        var objective = (SimClr)Create(spec, fixture.Context);
        objective.Prepare(batch, default);
        return objective.Compare(null, embeddings.Slice(0, Batch), embeddings.Slice(Batch, Batch)).AsSpan()[0];
    }

    private sealed class Fixture(params string[] overrides) : IDisposable
    {
        private TrainingPipeline? _pipeline;

        public CpuDevice Device { get; } = new(1);

        public TrainingPipeline Pipeline => _pipeline ??= new TrainingPipeline(TinyCorpus.Recipe(overrides), Device, null, CancellationToken.None);

        public ObjectiveContext Context => Pipeline.Objective.Context;

        public Tensor Embeddings()
        {
            var random = new CounterRandom(3, RandomPurpose.Plot);
            var tensor = Device.AllocatePersistent(new Shape(2 * Batch, Size));
            foreach (ref float value in tensor.AsSpan())
            {
                value = random.NextNormal();
            }

            return tensor;
        }

        public void Dispose()
        {
            _pipeline?.Dispose();
            Device.Dispose();
        }
    }
}
