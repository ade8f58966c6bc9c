using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class DialogueTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void A_list_is_read_and_written_back()
    {
        string path = _folder.Text(
            "sessions.csv", "dialogue_id,path,device_id,start_time,true_speaker\nd1,a/1.wav,x,0,ann\nd1,a/2.wav,x,2.5,\nd2,b/1.wav,y,1970-01-01T00:00:10Z,bob\n");
        var list = DialogueList.Read(path);
        Assert.That(list.NamesDialogues);
        Assert.That(list.Entries.Select(e => (e.Utterance, e.Dialogue, e.Device, e.StartSeconds, e.TrueSpeaker)), Is.EqualTo(new (string, string?, string?, double?, string?)[]
        {
            ("a/1.wav", "d1", "x", 0, "ann"), ("a/2.wav", "d1", "x", 2.5, null), ("b/1.wav", "d2", "y", 10, "bob"),
        }));
        list.WriteCsv(_folder.At("again.csv"));
        Assert.That(DialogueList.Read(_folder.At("again.csv")).Entries.Select(e => e with { Line = 0 }), Is.EqualTo(list.Entries.Select(e => e with { Line = 0 })));
    }

    [TestCase("dialogue_id,file\nd,a", "wanted is dialogue_id,path")]
    [TestCase("path,device_id\na,b", "wanted is dialogue_id,path")]
    [TestCase("dialogue_id,path\nd", "line 2: 1 fields where the header has 2")]
    [TestCase("dialogue_id,path\n,a", "line 2: the dialogue_id is empty")]
    [TestCase("dialogue_id,path\nd,", "line 2: the path is empty")]
    [TestCase("dialogue_id,path,device_id\nd,a,x\nd,b,", "line 3: the device is unknown")]
    [TestCase("dialogue_id,path,device_id\nd,a,x\nd,b,y", "line 3: the dialogue 'd' has the devices 'x' and 'y'")]
    [TestCase("dialogue_id,path\nd,a\ne,a", "lists the utterance 'a' twice (lines 2 and 3)")]
    [TestCase("path,device_id,start_time\na,x,noon", "line 2: the start_time 'noon'")]
    [TestCase("dialogue_id,path\n", "lists no utterance")]
    [TestCase("dialogue_id,path\nd,\"a", "a quote is opened")]
    public void A_malformed_list_is_one_sentence(string text, string words) =>
        Assert.That(() => DialogueList.Read(_folder.Text("s.csv", text)), Throws.TypeOf<DataFormatException>().With.Message.Contains(words).And.Message.Not.Contains("\n"));

    [Test]
    public void A_log_becomes_dialogues_by_device_and_gap()
    {
        var log = new DialogueList(
        [
            new("1", null, "x", 100), new("2", null, "y", 101), new("3", null, "x", 103), new("4", null, "x", 20), new("5", null, "x", 114.5), new("6", null, "y", 200),
        ]);
        Assert.That(log.NamesDialogues, Is.False);

        // Utterances last 2 s; between 3 and 5 lie 9.5 s of silence.
        Assert.That(Built(log, 9.5), Is.EqualTo(new[] { ("4", "x#1"), ("1", "x#2"), ("3", "x#2"), ("5", "x#2"), ("2", "y#1"), ("6", "y#2") }));
        Assert.That(Built(log, 9.4), Is.EqualTo(new[] { ("4", "x#1"), ("1", "x#2"), ("3", "x#2"), ("5", "x#3"), ("2", "y#1"), ("6", "y#2") }));
        Assert.That(() => new DialogueList([new("1", null, "x", 0), new("2", null, "x", 1.5)]).Build(5, _ => 2),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("'2' begins 0.5 s before '1' of the same device x ends"));
        Assert.That(() => new DialogueList([new("1", "d")]).Build(5, _ => 2), Throws.TypeOf<DataFormatException>().With.Message.Contains("no device_id or start_time"));

        static IEnumerable<(string, string)> Built(DialogueList log, double gap) => log.Build(gap, _ => 2).Entries.Select(e => (e.Utterance, e.Dialogue!));
    }

    [Test]
    public void Groups_say_what_does_not_fit()
    {
        using var corpus = VoicesCorpus.Random([100, 100, 100, 100]);
        int[] all = [0, 1, 2, 3];
        var list = new DialogueList([new("u0.wav", "d"), new("u1.wav", "d"), new("u2.wav", "e")]);
        var groups = UtteranceGroups.OfDialogues(list, corpus, all, 2);
        Assert.That(groups.All, Is.EqualTo(new[] { new[] { 0, 1 } }), "a dialogue of one utterance is left out");
        Assert.That(groups.LeftOut, Is.EqualTo(1));
        Assert.That(() => UtteranceGroups.OfDialogues(list, corpus, all, 3), Throws.TypeOf<InvalidOptionException>().With.Message.EqualTo(
            "data.views = 3: none of the 2 dialogues has as many utterances; the most is 2."));
        Assert.That(() => UtteranceGroups.OfDialogues(new DialogueList([new("u0.wav", "d"), new("x.wav", "d")]), corpus, all, 2),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("'x.wav', which the training manifest does not list"));
        Assert.That(() => UtteranceGroups.OfDialogues(new DialogueList([new("u0.wav", null, "x", 0)]), corpus, all, 2),
            Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("data.dialogueGap = 0"));
        Assert.That(UtteranceGroups.OfSpeakers(corpus, all, 2).All, Is.EqualTo(new[] { new[] { 0, 3 } }));
    }

    // Device 0 has five dialogues, device 1 three, the others one each.
    [TestCase(2, 7)]
    [TestCase(3, 4)]
    [TestCase(4, 3)]
    [TestCase(8, 1)]
    public void A_batch_has_distinct_devices_and_an_epoch_no_dialogue_twice(int batch, int batches)
    {
        int[] devices = [0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7];
        var lengths = new int[devices.Length * 3];
        Array.Fill(lengths, 200);
        using var corpus = VoicesCorpus.Random(lengths);
        using var device = new CpuDevice(1);
        var list = new DialogueList(Enumerable.Range(0, lengths.Length).Select(u => new DialogueEntry($"u{u}.wav", $"d{u / 3}", $"x{devices[u / 3]}")));
        var groups = UtteranceGroups.OfDialogues(list, corpus, [.. Enumerable.Range(0, lengths.Length)], 2);
        var source = new BatchSource(device, corpus, new BatchOptions { Batch = batch, Samples = 100, Groups = groups, Seed = 3 });
        Assert.That(source.BatchesPerEpoch, Is.EqualTo(batches));

        var seen = new HashSet<string>();
        for (int epoch = 0; epoch < 400; epoch++)
        {
            var dialogues = new List<int>();
            for (int index = 0; index < batches; index++)
            {
                device.Workspace.Reset();
                var crops = source.Read(epoch, index).CropUtterances;
                var mine = new List<int>();
                for (int row = 0; row < batch; row++)
                {
                    Assert.That(crops[batch + row] / 3, Is.EqualTo(crops[row] / 3), "views are of one dialogue");
                    Assert.That(crops[batch + row], Is.Not.EqualTo(crops[row]), "and of two utterances");
                    mine.Add(crops[row] / 3);
                    seen.Add($"{crops[row]} {crops[batch + row]}");
                }

                Assert.That(mine.Select(d => devices[d]), Is.Unique);
                dialogues.AddRange(mine);
            }

            Assert.That(dialogues, Is.Unique);
        }

        Assert.That(seen, Has.Count.EqualTo(devices.Length * 6), "in the long run every ordered pair of utterances of every dialogue");
    }

    [Test]
    public void A_batch_of_groups_is_a_function_of_epoch_and_index()
    {
        using var corpus = VoicesCorpus.Random([400, 900, 150, 1000, 1200, 333, 640, 800, 777, 512, 2000], speakers: 4);
        var groups = UtteranceGroups.OfSpeakers(corpus, [.. Enumerable.Range(0, corpus.Count)], 2);
        float[] Read(int threads, bool detour)
        {
            using var device = new CpuDevice(threads);
            using var augmenter = new Augmenter(device, new AugmentationSpec { ReverbProbability = 0.5f, NoiseProbability = 0.7f, Speeds = [0.9f, 1.1f] }, corpus, 200, seed: 1);
            var source = new BatchSource(device, corpus, new BatchOptions { Batch = 2, Samples = 200, Groups = groups, Seed = 1 }, augmenter);
            if (detour)
            {
                source.Read(7, 1);
                source.Prepare(3, 0);
            }

            return Samples.Read(source.Read(3, 1).Waves);
        }

        float[] straight = Read(1, detour: false);
        Assert.That(Read(1, detour: true), Is.EqualTo(straight));
        Assert.That(Read(3, detour: true), Is.EqualTo(straight));
    }

    [Test]
    public void Reading_groups_allocates_nothing_in_steady_state()
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random([400, 900, 150, 1000, 1200, 333, 640, 800], speakers: 4);
        var groups = UtteranceGroups.OfSpeakers(corpus, [.. Enumerable.Range(0, corpus.Count)], 2);
        var source = new BatchSource(device, corpus, new BatchOptions { Batch = 2, Samples = 200, Groups = groups, Seed = 1 });
        int step = 0;
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            source.Read(step / 2, step % 2);
            step++;
        });
    }

    [Test]
    public void More_rows_than_devices_are_refused()
    {
        using var device = new CpuDevice(1);
        using var corpus = VoicesCorpus.Random([100, 100, 100, 100, 100, 100]);
        var groups = UtteranceGroups.OfSpeakers(corpus, [0, 1, 2, 3, 4, 5], 2);
        Assert.That(() => new BatchSource(device, corpus, new BatchOptions { Batch = 4, Samples = 10, Groups = groups }),
            Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("training.batch = 4: allowed are 1 to 3"));
    }

    [TestCase(0f, 0)]
    [TestCase(0.25f, 3)]
    [TestCase(1f, 12)]
    public void Synthetic_logs_have_as_many_second_speakers_as_asked_for(float rate, int mixed)
    {
        var spec = new SyntheticVoicesSpec
        {
            Speakers = 4,
            EvaluationSpeakers = 2,
            UtterancesPerSpeaker = 9,
            SessionsPerSpeaker = 3,
            MinimumSeconds = 0.5f,
            MaximumSeconds = 0.6f,
            Noises = 1,
            Rooms = 1,
            SecondSpeakers = rate,
        };
        SyntheticVoices.Generate(_folder.Root, spec);
        var list = DialogueList.Read(_folder.At("sessions.csv"));
        var dialogues = list.Entries.GroupBy(e => e.Dialogue).ToArray();
        Assert.That(dialogues, Has.Length.EqualTo(12));
        Assert.That(dialogues.Count(d => d.Select(e => e.TrueSpeaker).Distinct().Count() == 2), Is.EqualTo(mixed));
        Assert.That(dialogues.Select(d => d.Count()), Is.All.EqualTo(3));
        var manifest = Manifest.Load(_folder.At("train.csv"));
        Assert.That(list.Entries.Select(e => (e.Utterance, e.TrueSpeaker)), Is.EquivalentTo(manifest.Utterances.Select(u => (u.Id, u.Speaker))));

        var seconds = manifest.Utterances.ToDictionary(u => u.Id, u => u.DurationSeconds!.Value);
        var built = list.Build(60, id => seconds[id]).Entries.GroupBy(e => e.Dialogue).Select(d => string.Join(' ', d.Select(e => e.Utterance)));
        Assert.That(built, Is.EquivalentTo(dialogues.Select(d => string.Join(' ', d.Select(e => e.Utterance)))), "the log gives the same dialogues");
        Assert.That(DataCheck.Run(_folder.At("train.csv"), new DataCheckOptions { Dialogues = _folder.At("sessions.csv") }).HasErrors, Is.False);
    }

    [Test]
    public void Without_second_speakers_asked_for_the_voices_are_the_same_to_the_byte()
    {
        var spec = new SyntheticVoicesSpec
        {
            Speakers = 3,
            EvaluationSpeakers = 2,
            UtterancesPerSpeaker = 4,
            SessionsPerSpeaker = 2,
            MinimumSeconds = 0.5f,
            MaximumSeconds = 0.6f,
            Noises = 1,
            Rooms = 1,
        };
        SyntheticVoices.Generate(_folder.At("plain"), spec);
        SyntheticVoices.Generate(_folder.At("dialogues"), spec with { SecondSpeakers = 0 });
        Assert.That(File.Exists(_folder.At("plain", "sessions.csv")), Is.False);
        foreach (string file in Directory.GetFiles(_folder.At("plain"), "*", SearchOption.AllDirectories))
        {
            string other = Path.Combine(_folder.At("dialogues"), Path.GetRelativePath(_folder.At("plain"), file));
            Assert.That(File.ReadAllBytes(other), Is.EqualTo(File.ReadAllBytes(file)), file);
        }

        Assert.That(() => SyntheticVoices.Generate(_folder.Root, spec with { SecondSpeakers = 1.5f }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("secondSpeakers = 1.5"));
        Assert.That(() => SyntheticVoices.Generate(_folder.Root, spec with { SecondSpeakers = 0, SessionsPerSpeaker = 3 }),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("sessionsPerSpeaker = 3"));
    }

    [Test]
    public void A_check_finds_every_fault_of_a_list()
    {
        VoicesCorpus.Write(_folder, 3200, 3200, 3200);
        string list = _folder.Text("s.csv", "dialogue_id,path,true_speaker\nd,0.wav,a\nd,1.wav,b\ne,2.wav,\nf,9.wav,a\nf,2.wav,b\n");
        var found = DataCheck.Run(_folder.At("m.csv"), new DataCheckOptions { Dialogues = list }).Problems.Where(p => p.Kind != DataProblemKind.UnlabelledSpeaker);
        Assert.That(found.Select(p => (p.Kind, p.Subject)), Is.EquivalentTo(new[]
        {
            (DataProblemKind.DialogueOfAbsentUtterance, "9.wav"), (DataProblemKind.DuplicateId, "2.wav"), (DataProblemKind.SingleUtteranceDialogue, "e"),
        }));
        string log = _folder.Text("log.csv", "path,device_id,start_time\n0.wav,x,0\n1.wav,x,0.1\n");
        Assert.That(DataCheck.Run(_folder.At("m.csv"), new DataCheckOptions { Dialogues = log }).Problems.Select(p => p.Kind), Does.Contain(DataProblemKind.OverlappingTimes));
        string mixed = _folder.Text("mixed.csv", "dialogue_id,path,true_speaker\nd,0.wav,a\nd,1.wav,b\n");
        Assert.That(DataCheck.Run(_folder.At("m.csv"), new DataCheckOptions { Dialogues = mixed }).Problems.Select(p => p.Kind), Does.Contain(DataProblemKind.OnlyMixedDialogues));
    }
}
