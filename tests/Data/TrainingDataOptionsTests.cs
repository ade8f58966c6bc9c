using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Data;

namespace Spk.Tests.Data;

/// <summary>Oracles and ablations of the data side: positives of the same speaker, balanced orders, limited data.</summary>
public class TrainingDataOptionsTests
{
    private const int Length = 150;

    // Dealt to three speakers in turn: five, four and four utterances.
    private static readonly int[] Lengths = [400, 900, 250, 1000, 1200, 333, 640, 800, 777, 512, 2000, 300, 450];

    [Test]
    public void Parts_of_the_speakers_are_disjoint_even_and_the_same_for_one_seed()
    {
        Utterance[] utterances = [.. Enumerable.Range(0, 40).Select(i => new Utterance($"u{i}", $"/u{i}", $"s{i % 13}"))];
        int[] Part(string text, ulong seed = 1) => SpeakerPart.Parse(text)!.Choose(utterances, seed);
        int[][] parts = [Part("1/4"), Part("2/4"), Part("3-4/4")];
        Assert.That(parts.SelectMany(p => p).Order(), Is.EqualTo(Enumerable.Range(0, 40)));
        Assert.That(parts.Select(p => p.Select(i => i % 13).Distinct().Count()), Is.EqualTo(new[] { 4, 3, 6 }));
        Assert.That(parts.SelectMany(p => p.Select(i => i % 13).Distinct()), Is.Unique);
        Assert.That(Part("2/4"), Is.EqualTo(parts[1]));
        Assert.That(Part("2/4", seed: 2), Is.Not.EqualTo(parts[1]));
        Assert.That(SpeakerPart.Parse(null), Is.Null);
        foreach (string wrong in new[] { "", "0/3", "4/3", "2-1/3", "1/2/3", "a/3", "1-2-3/4", "1/1001" })
        {
            Assert.That(() => SpeakerPart.Parse(wrong), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("data.speakerPart"), wrong);
        }

        Assert.That(() => SpeakerPart.Parse("1/14")!.Choose(utterances, 1), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("13"));
        Assert.That(() => SpeakerPart.Parse("1/2")!.Choose([new Utterance("a", "/a")], 1), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("speaker of every"));
    }

    [Test]
    public void Second_crops_come_from_another_utterance_of_the_speaker()
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random(Lengths);
        int[] members = [0, 3, 6, 9, 1, 4, 2];
        var source = new BatchSource(
            device, corpus, new BatchOptions { Batch = 7, Samples = Length, Positives = PositivePairing.SameSpeaker, Pairing = CropPairing.Apart, Seed = 5 }, null, members);
        var partners = new HashSet<(int, int)>();
        for (int epoch = 0; epoch < 30; epoch++)
        {
            device.Workspace.Reset();
            var batch = source.Read(epoch, 0);
            float[] waves = Samples.Read(batch.Waves);
            for (int row = 0; row < batch.Size; row++)
            {
                int first = Find(corpus, waves.AsSpan(row * Length, Length)), second = Find(corpus, waves.AsSpan((batch.Size + row) * Length, Length));
                Assert.That(first, Is.EqualTo(batch.Utterances[row]));
                Assert.That(corpus.SpeakerOf(second), Is.EqualTo(corpus.SpeakerOf(first)));
                Assert.That(members, Does.Contain(second), "only utterances in use are partners");
                Assert.That(second == first, Is.EqualTo(first == 2), "only a speaker of one utterance is its own partner");
                partners.Add((first, second));
            }
        }

        Assert.That(partners, Has.Count.EqualTo((4 * 3) + 2 + 1), "every other utterance is drawn at some time");
    }

    [Test]
    public void First_crops_are_those_without_the_oracle()
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random(Lengths);
        float[] First(PositivePairing positives)
        {
            device.Workspace.Reset();
            var options = new BatchOptions { Batch = 5, Samples = Length, Positives = positives, Seed = 5 };
            return Samples.Read(new BatchSource(device, corpus, options).Read(2, 1).Waves)[..(5 * Length)];
        }

        Assert.That(First(PositivePairing.SameSpeaker), Is.EqualTo(First(PositivePairing.SameUtterance)));
    }

    [Test]
    public void A_balanced_epoch_has_all_speakers_equally_often()
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random(Lengths);

        // One speaker with four utterances, one with two, one with a single one.
        int[] members = [0, 3, 6, 9, 1, 4, 2];
        var source = new BatchSource(device, corpus, new BatchOptions { Batch = 3, Samples = Length, Sampling = BatchSampling.SpeakerBalanced, Seed = 5 }, null, members);
        Assert.That(source.BatchesPerEpoch, Is.EqualTo(2), "as long as a uniform epoch");
        int[] Epoch(int epoch) => [.. Enumerable.Range(0, 2).SelectMany(i => source.Read(epoch, i).Utterances.ToArray())];
        var seen = new HashSet<int>();
        for (int epoch = 0; epoch < 20; epoch++)
        {
            device.Workspace.Reset();
            int[] order = Epoch(epoch);
            for (int batch = 0; batch < 2; batch++)
            {
                Assert.That(order.Skip(3 * batch).Take(3).Select(corpus.SpeakerOf), Is.EquivalentTo(new[] { 0, 1, 2 }), "a batch of as many as speakers has each once");
            }

            Assert.That(order.Where(u => corpus.SpeakerOf(u) != 2), Is.Unique, "an utterance comes again only after all others of its speaker");
            seen.UnionWith(order);
        }

        Assert.That(seen, Is.EquivalentTo(members));
        int[] third = Epoch(3);
        Assert.That(Epoch(7), Is.Not.EqualTo(third));
        Assert.That(Epoch(3), Is.EqualTo(third), "an epoch does not depend on what was read before");
    }

    [Test]
    public void A_subset_has_the_limits_asked_for_and_grows_with_them()
    {
        using var corpus = VoicesCorpus.Random([.. Enumerable.Repeat(200, 40)], speakers: 8);
        int[] all = [.. Enumerable.Range(0, 40)];
        int[] Choose(int speakers, int utterances, ulong seed = 3) => TrainingSubset.Choose(corpus, [.. all], speakers, utterances, seed);
        Assert.That(Choose(0, 0), Is.EqualTo(all));
        int[] few = Choose(3, 2);
        Assert.That(few, Is.Ordered.And.Unique);
        Assert.That(few.GroupBy(corpus.SpeakerOf).Select(s => s.Count()), Is.EqualTo(new[] { 2, 2, 2 }));
        Assert.That(Choose(3, 4), Is.SupersetOf(few).And.Length.EqualTo(12));
        Assert.That(Choose(5, 2), Is.SupersetOf(few).And.Length.EqualTo(10));
        Assert.That(Choose(0, 9), Is.EqualTo(all), "speakers with fewer keep all of theirs");
        Assert.That(Choose(3, 2), Is.EqualTo(few));
        Assert.That(Choose(3, 2, seed: 4), Is.Not.EqualTo(few));
        Assert.That(() => Choose(9, 0), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("data.limitSpeakers = 9").And.Message.Contains("8"));
    }

    [TestCase("data.positives = sameSpeaker")]
    [TestCase("data.sampler = speakerBalanced")]
    [TestCase("data.limitUtterances")]
    public void Labels_that_are_missing_are_asked_for(string field)
    {
        using var device = new CpuDevice(1);
        using var corpus = Corpus.FromSamples([new Utterance("a.wav", "", "sp1"), new Utterance("b.wav", "")], [VoicesCorpus.Pcm(1, 400), VoicesCorpus.Pcm(2, 400)], 16000);
        Action make = field.EndsWith("sameSpeaker", StringComparison.Ordinal)
            ? () => _ = new BatchSource(device, corpus, new BatchOptions { Batch = 2, Samples = Length, Positives = PositivePairing.SameSpeaker })
            : field.EndsWith("Balanced", StringComparison.Ordinal)
            ? () => _ = new BatchSource(device, corpus, new BatchOptions { Batch = 2, Samples = Length, Sampling = BatchSampling.SpeakerBalanced })
            : () => TrainingSubset.Choose(corpus, [0, 1], 0, 1, 1);
        Assert.That(make, Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith(field).And.Message.Contains("1 of 2 have none"));
    }

    [Test]
    public void Recipes_say_all_of_it()
    {
        string folder = Directory.CreateTempSubdirectory("spk-run-").FullName;
        try
        {
            var witness = new Witness();
            using var device = new CpuDevice(1);
            var recipe = TinyCorpus.Recipe(
                "data.positives=sameSpeaker", "data.sampler=speakerBalanced", "data.limitSpeakers=6", "data.limitUtterances=4", "data.devSpeakers=2", "training.epochs=1");
            using var trainer = Trainer.Open(recipe, folder, device);
            trainer.Run(witness);
            Assert.That((witness.Start!.Speakers, witness.Start.Utterances, witness.Start.BatchesPerEpoch), Is.EqualTo((6, 24, 3)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        Assert.That(() => TinyCorpus.Recipe("data.positives=sameSpeaker", "ssps.source=clusters"), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("ssps.source = clusters"));
        Assert.That(() => TinyCorpus.Recipe("data.sampler=fair"), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("uniform, speakerBalanced"));
    }

    /// <summary>The utterance that a crop was cut from.</summary>
    private static int Find(Corpus corpus, ReadOnlySpan<float> crop)
    {
        for (int u = 0; u < corpus.Count; u++)
        {
            var pcm = corpus.Utterance(u);
            for (int start = 0; start + crop.Length <= pcm.Length; start++)
            {
                int i = 0;
                while (i < crop.Length && Math.Abs((crop[i] * 32768) - pcm[start + i]) < 0.6f)
                {
                    i++;
                }

                if (i == crop.Length)
                {
                    return u;
                }
            }
        }

        return -1;
    }
}
