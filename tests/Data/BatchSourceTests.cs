using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class BatchSourceTests
{
    private static readonly int[] Lengths = [400, 900, 150, 1000, 1200, 333, 640, 800, 777, 512, 2000];

    [Test]
    public void Epoch_holds_every_utterance_at_most_once_in_another_order_each_time()
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random(Lengths);
        var source = new BatchSource(device, corpus, new BatchOptions { Batch = 5, Samples = 200, Seed = 1 });

        Assert.That(source.BatchesPerEpoch, Is.EqualTo(2), "the last utterance is dropped");
        var epochs = Enumerable.Range(0, 3).Select(e => Order(source, device, e)).ToArray();
        foreach (int[] order in epochs)
        {
            Assert.That(order, Has.Length.EqualTo(10));
            Assert.That(order, Is.Unique);
        }

        Assert.That(epochs[0], Is.Not.EqualTo(epochs[1]));
        Assert.That(epochs[1], Is.Not.EqualTo(epochs[2]));
    }

    [Test]
    public void Batch_is_a_function_of_epoch_and_index_for_any_thread_count()
    {
        using var corpus = VoicesCorpus.Random(Lengths);
        float[] Read(int threads, bool detour)
        {
            using var device = new CpuDevice(threads);
            using var augmenter = new Augmenter(device, Everything, corpus, 200, seed: 1);
            var source = new BatchSource(device, corpus, new BatchOptions { Batch = 4, Samples = 200, Seed = 1 }, augmenter);
            if (detour)
            {
                source.Read(7, 1);
                source.Read(3, 0);
            }

            return Samples.Read(source.Read(3, 1).Waves);
        }

        float[] straight = Read(1, detour: false);
        Assert.That(Read(1, detour: true), Is.EqualTo(straight));
        Assert.That(Read(2, detour: true), Is.EqualTo(straight));
        Assert.That(Read(3, detour: false), Is.EqualTo(straight));
    }

    [Test]
    public void Rows_are_views_major_crops_of_their_utterances()
    {
        using var device = new CpuDevice(2);
        using var corpus = VoicesCorpus.Random(Lengths);
        const int Batch = 3, Views = 2, Length = 180;
        var source = new BatchSource(device, corpus, new BatchOptions { Batch = Batch, Views = Views, Samples = Length, Pairing = CropPairing.Apart, Seed = 5 });

        var batch = source.Read(0, 2);

        Assert.That(batch.Waves.Shape.ToString(), Is.EqualTo($"[{Batch * Views}, {Length}]"));
        var sampler = new CropSampler(5, CropPairing.Apart);
        var starts = new int[2];
        for (int b = 0; b < Batch; b++)
        {
            int utterance = batch.Utterances[b];
            Assert.That(batch.Speakers[b], Is.EqualTo(corpus.SpeakerOf(utterance)));
            sampler.Sample(0, utterance, corpus.LengthOf(utterance), Length, starts);
            for (int view = 0; view < Views; view++)
            {
                var row = batch.Waves.AsSpan().Slice(((view * Batch) + b) * Length, Length);
                var want = new double[Length];
                for (int i = 0; i < Length; i++)
                {
                    want[i] = corpus.Utterance(utterance)[(starts[view] + i) % corpus.LengthOf(utterance)] / 32768.0;
                }

                Close.Assert(row, want, 1e-7, $"utterance {utterance}, view {view}");
            }
        }
    }

    [Test]
    public void Short_crops_and_clean_segments_come_with_a_batch()
    {
        const int Batch = 3, Local = 60, Clean = 90;
        using var device = new CpuDevice(2);
        using var corpus = VoicesCorpus.Random(Lengths);
        using var augmenter = new Augmenter(device, Everything, corpus, 180, seed: 1);
        var options = new BatchOptions { Batch = Batch, Samples = 180, Seed = 5, LocalViews = 4, LocalSamples = Local, ReferenceSamples = Clean };
        var source = new BatchSource(device, corpus, options, augmenter);
        var batch = source.Read(2, 1);
        Assert.That(batch.Waves.Shape, Is.EqualTo(new Shape(2 * Batch, 180)));
        Assert.That(batch.LocalWaves!.Shape, Is.EqualTo(new Shape(4 * Batch, Local)));
        Assert.That(batch.ReferenceWaves!.Shape, Is.EqualTo(new Shape(Batch, Clean)));
        var locals = Enumerable.Range(0, 4 * Batch).Select(i => string.Join(' ', batch.LocalWaves.AsSpan().Slice(i * Local, Local).ToArray()));
        Assert.That(locals.Distinct().Count(), Is.EqualTo(4 * Batch), "every short crop is one of its own");
        for (int b = 0; b < Batch; b++)
        {
            float[] row = batch.ReferenceWaves.AsSpan().Slice(b * Clean, Clean).ToArray();
            short[] pcm = corpus.Utterance(batch.Utterances[b]).ToArray();
            var clean = Enumerable.Range(0, pcm.Length).Where(start => row.Select((v, i) => Math.Abs(v - (pcm[(start + i) % pcm.Length] / 32768f))).Max() < 1e-6);
            Assert.That(clean, Is.Not.Empty, "a clean segment is a run of the utterance as it was recorded");
        }

        device.Workspace.Reset();
        Assert.That(source.Read(2, 1, withReference: false).ReferenceWaves, Is.Null);
    }

    [TestCase(1)]
    [TestCase(3)]
    public void Other_numbers_of_views_work(int views)
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random(Lengths);
        var source = new BatchSource(device, corpus, new BatchOptions { Batch = 2, Views = views, Samples = 100 }, utterances: [4, 7, 9]);

        var batch = source.Read(0, 0);

        Assert.That(batch.Waves.Shape[0], Is.EqualTo(2 * views));
        Assert.That(batch.Utterances.ToArray(), Is.SubsetOf(new[] { 4, 7, 9 }));
        Assert.That(source.UtteranceCount, Is.EqualTo(3));
    }

    [Test]
    public void Reading_allocates_nothing_in_steady_state()
    {
        // One thread keeps a step short on a busy machine, so that few steps meet the test host's timer; the ops' tests cover workers.
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random(Lengths);
        using var augmenter = new Augmenter(device, Everything, corpus, 200, seed: 1);
        var source = new BatchSource(device, corpus, new BatchOptions { Batch = 4, Samples = 200, Pairing = CropPairing.Apart, Seed = 1 }, augmenter);
        int step = 0;
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            source.Read(step / 2, step % 2);
            step++;
        });
    }

    [Test]
    public void Bad_sizes_name_the_field()
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random([100, 100]);
        string Message(BatchOptions options) => Assert.Throws<InvalidOptionException>(() => new BatchSource(device, corpus, options))!.Message;

        Assert.That(Message(new BatchOptions { Batch = 3, Samples = 10 }), Does.Contain("training.batch = 3").And.Contain("1 to 2"));
        Assert.That(Message(new BatchOptions { Batch = 0, Samples = 10 }), Does.Contain("training.batch = 0"));
        Assert.That(Message(new BatchOptions { Batch = 1, Samples = 10, Views = 0 }), Does.Contain("data.views = 0"));
        Assert.That(Message(new BatchOptions { Batch = 1, Samples = 0 }), Does.Contain("data.cropSeconds"));
    }

    private static AugmentationSpec Everything => new()
    {
        ReverbProbability = 0.5f,
        NoiseProbability = 0.7f,
        GainMinimumDb = -6,
        GainMaximumDb = 6,
        Speeds = [0.9f, 1f, 1.1f],
    };

    private static int[] Order(BatchSource source, Device device, int epoch)
    {
        var order = new List<int>();
        for (int i = 0; i < source.BatchesPerEpoch; i++)
        {
            device.Workspace.Reset();
            order.AddRange(source.Read(epoch, i).Utterances);
        }

        return [.. order];
    }
}
