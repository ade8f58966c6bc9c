using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Positives;

namespace Spk.Tests.Objectives;

/// <summary>AvA, A-Proto and GE2E as a run meets them: weights, warm-up and diagnostics.</summary>
public class DialogueContrastTests
{
    private const int Rows = 6, Size = 8;

    private CpuDevice _device = null!;

    [SetUp]
    public void Open() => _device = new CpuDevice(1);

    [TearDown]
    public void Close() => _device.Dispose();

    [TestCase(ObjectiveKind.Ava, true)]
    [TestCase(ObjectiveKind.AngularPrototypical, false)]
    public void With_two_utterances_it_is_NT_Xent(ObjectiveKind kind, bool symmetric)
    {
        var spec = new ObjectiveSpec { Kind = kind, Dialogue = new DialogueSpec { Scale = 8 } };
        var objective = Create(spec);
        var embeddings = Embeddings(2);
        var reference = Embeddings(2);
        Tape tape = new(), other = new();
        var loss = objective.Compare(tape, embeddings);
        var want = NtXent.Forward(other, reference.Slice(0, Rows), reference.Slice(Rows, Rows), 1 / 8f, symmetric, MarginKind.None, 0);
        Assert.That(loss.AsSpan()[0], Is.EqualTo(want.AsSpan()[0]));
        objective.Parameters.ZeroGradients();
        tape.Backward(loss);
        other.Backward(want);
        Assert.That(Samples.Read(embeddings.Grad!), Is.EqualTo(Samples.Read(reference.Grad!)));
    }

    // methods.md 18: e_j = [Z0_j, Z1_j], w = 10, b = -5.
    [TestCase(ObjectiveKind.Ge2e, 0.001049032, -0.000712404)]
    [TestCase(ObjectiveKind.AngularPrototypical, 0.010352474, null)]
    [TestCase(ObjectiveKind.Ava, 0.010387410, null)]
    public void Published_values_are_met(ObjectiveKind kind, double loss, double? scaleGradient)
    {
        var objective = Create(new ObjectiveSpec { Kind = kind }, rows: 4);
        var embeddings = Samples.Constant(_device, new Shape(8, 5), [.. from v in new[] { 0, 1 }
                                                                       from i in Enumerable.Range(0, 4)
                                                                       from d in Enumerable.Range(0, 5)
                                                                       select MathF.Sin(0.5f + (1.1f * i) + (0.7f * d) + (0.4f * i * d) + (0.6f * v))]);
        var tape = new Tape();
        var got = objective.Compare(tape, embeddings);
        Assert.That(got.AsSpan()[0], Is.EqualTo(loss).Within(2e-7));
        objective.Parameters.ZeroGradients();
        tape.Backward(got);
        if (scaleGradient is { } want)
        {
            Assert.That(objective.Parameters.Trainable[^1].Name, Is.EqualTo("objective.scale"));
            Assert.That(objective.Parameters.Trainable[^1].Value.Grad!.AsSpan()[0], Is.EqualTo(want).Within(2e-7));
        }
    }

    [TestCase(true, Ge2eForm.Softmax, "objective.scale")]
    [TestCase(true, Ge2eForm.Contrast, "objective.scale objective.offset")]
    [TestCase(false, Ge2eForm.Contrast, "")]
    public void Only_what_the_loss_feels_is_learned(bool learns, Ge2eForm form, string names)
    {
        var objective = Create(new ObjectiveSpec { Kind = ObjectiveKind.Ge2e, Dialogue = new DialogueSpec { LearnScale = learns, Form = form } });
        Assert.That(string.Join(' ', objective.Parameters.Trainable.Select(p => p.Name).Where(n => n.StartsWith(Objective.Prefix, StringComparison.Ordinal))), Is.EqualTo(names));
    }

    [TestCase(ObjectiveKind.Ava)]
    [TestCase(ObjectiveKind.AngularPrototypical)]
    [TestCase(ObjectiveKind.Ge2e)]
    public void Weights_are_those_of_the_compactness_and_rise_in_the_warm_up(ObjectiveKind kind)
    {
        var rejection = new RejectionSpec { Kind = RejectionKind.Absolute, Slope = 6, Threshold = 0.1f, Normalize = false, Warmup = 0.2f };
        var spec = new ObjectiveSpec { Kind = kind, Dialogue = new DialogueSpec { Rejection = rejection } };
        float plain = Loss(spec with { Dialogue = new DialogueSpec() }, step: 0);
        Assert.That(Loss(spec, step: 0), Is.EqualTo(plain / 2).Within(1e-6), "a slope of 0 halves every weight");

        // 100 steps in all: at 10 half the slope, from 20 on all of it.
        Assert.That(Loss(spec, step: 10), Is.EqualTo(Loss(spec with { Dialogue = new DialogueSpec { Rejection = rejection with { Slope = 3, Warmup = 0 } } }, step: 0)));
        Assert.That(Loss(spec, step: 20), Is.EqualTo(Loss(spec with { Dialogue = new DialogueSpec { Rejection = rejection with { Warmup = 0 } } }, step: 0)));
        Assert.That(Loss(spec, step: 20), Is.Not.EqualTo(Loss(spec, step: 10)));
    }

    [Test]
    public void Rules_without_slope_begin_after_the_warm_up([Values(RejectionKind.Rectified, RejectionKind.Top)] RejectionKind kind)
    {
        var spec = new ObjectiveSpec { Kind = ObjectiveKind.Ava, Dialogue = new DialogueSpec { Rejection = new RejectionSpec { Kind = kind } } };
        float plain = Loss(spec with { Dialogue = new DialogueSpec() }, step: 0);
        Assert.That(Loss(spec, step: 9), Is.EqualTo(plain));
        Assert.That(Loss(spec, step: 10), Is.Not.EqualTo(plain));
    }

    [Test]
    public void Diagnostics_tell_mixed_dialogues_from_pure_ones()
    {
        // Four dialogues of two utterances; the second and the fourth have two speakers.
        using var corpus = VoicesFor(["d0 a", "d0 a", "d1 a", "d1 b", "d2 c", "d2 c", "d3 b", "d3 c"], out var groups);
        var spec = new ObjectiveSpec { Kind = ObjectiveKind.Ava, Dialogue = new DialogueSpec { Rejection = new RejectionSpec { Kind = RejectionKind.Rectified, Warmup = 0, Normalize = false } } };
        var objective = Create(spec, rows: 4, groups: groups);
        var batch = new TrainingBatch(4, 2);
        new[] { 0, 2, 4, 6, 1, 3, 5, 7 }.CopyTo(batch.CropUtterancesForWrite);
        objective.Prepare(batch, default);

        // Cosines 1, 0, 0.6 and 0.8: of the four pairs of pure and mixed the order is right in three.
        objective.Compare(null, Samples.Constant(_device, new Shape(8, 2), [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0.6f, 0.8f, 0.8f, 0.6f]));
        objective.Update();
        Assert.That(objective.Statistics.PositiveCosine, Is.EqualTo(0.6).Within(1e-6));
        var figures = new List<EpochFigure>();
        objective.CloseEpoch(figures);
        double Figure(string name) => figures.Single(f => f.Name == name).Value;
        Assert.That(Figure("compactnessAuc"), Is.EqualTo(0.75));
        Assert.That(Figure("mixedShare"), Is.EqualTo(0.5));
        Assert.That(Figure("mixedWeightShare"), Is.EqualTo(0.8 / 2.4).Within(1e-6));
        Assert.That((Figure("rejectionWeight5"), Figure("rejectionWeight95")), Is.EqualTo((0.0, 1.0)));
        figures.Clear();
        objective.CloseEpoch(figures);
        Assert.That(figures.All(f => double.IsNaN(f.Value)), "an epoch without steps shows nothing");
    }

    [Test]
    public void One_view_is_refused() =>
        Assert.That(() => Create(new ObjectiveSpec { Kind = ObjectiveKind.Ge2e }, views: 1), Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("data.views = 1"));

    private static Corpus VoicesFor(string[] utterances, out UtteranceGroups groups)
    {
        var corpus = Corpus.FromSamples([.. utterances.Select((_, i) => new Utterance($"u{i}", ""))], [.. utterances.Select(_ => new short[10])], 16000);
        var list = new DialogueList(utterances.Select((u, i) => new DialogueEntry($"u{i}", u.Split(' ')[0], TrueSpeaker: u.Split(' ')[1])));
        groups = UtteranceGroups.OfDialogues(list, corpus, [.. Enumerable.Range(0, utterances.Length)], 2);
        return corpus;
    }

    private float Loss(ObjectiveSpec spec, long step)
    {
        var objective = Create(spec, views: 3);
        objective.Prepare(new TrainingBatch(Rows, 3), new StepPlace(step, 0));
        return objective.Compare(null, Embeddings(3)).AsSpan()[0];
    }

    private DialogueContrast Create(ObjectiveSpec spec, int rows = Rows, int views = 2, UtteranceGroups? groups = null)
    {
        var objective = (DialogueContrast)Objective.Create(spec, new PositiveSamplingSpec(), new ObjectiveContext
        {
            Device = _device,
            Encoder = TinyCorpus.Recipe().ResolvedEncoder,
            Batch = rows,
            Views = views,
            Groups = groups,
            BatchesPerEpoch = 20,
            Epochs = 5,
        });
        objective.Allocate(1);
        return objective;
    }

    private Tensor Embeddings(int views)
    {
        var tensor = Samples.Constant(_device, new Shape(views * Rows, Size), Samples.Normal(3, views * Rows * Size, 1f));
        tensor.RequiresGrad = true;
        return tensor;
    }
}
