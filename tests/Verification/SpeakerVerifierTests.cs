using System.Collections.Concurrent;
using NUnit.Framework;
using Spk.Engine.Alignment;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Engine.Verification;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Alignment;

namespace Spk.Tests.Verification;

public class SpeakerVerifierTests
{
    private static readonly Calibration Line = new() { Scale = 10, Offset = -5, Threshold = 0.5 };

    private TemporaryFolder _folder = null!;
    private string _model = "";

    [OneTimeSetUp]
    public void Make()
    {
        _folder = new TemporaryFolder();
        _model = TinyModel.Save(_folder.At("model.safetensors"));
    }

    [OneTimeTearDown]
    public void Remove() => _folder.Dispose();

    [Test]
    public void A_short_recording_has_the_embedding_of_the_model_at_unit_length()
    {
        using var verifier = Open();
        using var device = new CpuDevice(1);
        var table = new EmbeddingTable(["x"], SpeakerModel.Load(_model, device).Embed(TinyModel.Voice(1), 16000), TinyModel.Size);
        Close.Assert(verifier.Embed(TinyModel.Voice(1)), table.Row(0), 1e-7, "embedding");
    }

    [Test]
    public async Task A_long_recording_is_the_weighted_mean_of_its_windows_however_it_arrives()
    {
        using var verifier = Open(new VerifierOptions { WindowSeconds = 1, Contexts = 1, Device = "cpu" });
        float[] wave = [.. TinyModel.Voice(1, seconds: 1), .. TinyModel.Voice(2, seconds: 1), .. TinyModel.Voice(3, seconds: 0.7)];
        float[] first = verifier.Embed(wave.AsSpan(0, 16000)), second = verifier.Embed(wave.AsSpan(16000, 16000));

        // The rest is shorter than a second and left out.
        double[] want = [.. first.Zip(second, (a, b) => (double)a + b)];
        double length = Math.Sqrt(want.Sum(v => v * v));
        float[] got = verifier.Embed(wave);
        Close.Assert(got, [.. want.Select(v => v / length)], 1e-6, "mean of windows");
        foreach (int piece in new[] { 1, 777, 16000, 100_000 })
        {
            Assert.That(await verifier.EmbedAsync(Pieces(wave, piece)), Is.EqualTo(got), $"in pieces of {piece}");
        }

        Assert.That(verifier.Embed(wave.AsSpan(0, 16000)), Is.EqualTo(first), "exactly one window");
    }

    [Test]
    public void Enrolled_speakers_are_verified_and_identified()
    {
        using var verifier = Open(new VerifierOptions { Calibration = Line, Contexts = 2, Device = "cpu" });
        for (int speaker = 0; speaker < 6; speaker++)
        {
            var profile = verifier.Enroll($"s{speaker}", [TinyModel.Voice(speaker, 1), TinyModel.Voice(speaker, 2)]);
            Assert.That((profile.Recordings, profile.Embedding.Length), Is.EqualTo((2, TinyModel.Size)));
        }

        for (int speaker = 0; speaker < 6; speaker++)
        {
            float[] test = TinyModel.Voice(speaker, 3);
            var matches = verifier.Identify(test, 3);
            Assert.That(matches.Select(m => m.Id).First(), Is.EqualTo($"s{speaker}"));
            Assert.That(matches, Has.Count.EqualTo(3));
            Assert.That(matches.Select(m => m.Score), Is.Ordered.Descending);
            var answer = verifier.Verify($"s{speaker}", test);
            Assert.That(answer.Accepted, Is.True);
            Assert.That(answer.Score, Is.EqualTo(matches[0].Score).Within(1e-6));
            Assert.That(answer.LogLikelihoodRatio, Is.EqualTo((10 * answer.Score) - 5).Within(1e-5));
        }

        Assert.That(verifier.Identify(TinyModel.Voice(1), 100), Has.Count.EqualTo(6), "no more than there are");
    }

    [Test]
    public void Profiles_of_another_model_are_used_through_an_aligner_of_the_two()
    {
        string profiles = _folder.At("old", "profiles.spk"), newer = TinyModel.Save(_folder.At("new-model.safetensors"), seed: 2);
        using (var old = SpeakerVerifier.Open(_model, profiles, new VerifierOptions { Device = "cpu", Contexts = 1 }))
        {
            for (int speaker = 0; speaker < 6; speaker++)
            {
                old.Enroll($"s{speaker}", [TinyModel.Voice(speaker, 1), TinyModel.Voice(speaker, 2)]);
            }
        }

        byte[] stored = File.ReadAllBytes(profiles);
        var aligner = Align(newer);
        var line = Line with { Scoring = aligner.Scoring };
        var options = new VerifierOptions { Device = "cpu", Contexts = 1, Aligner = aligner, Calibration = line };
        using (var verifier = SpeakerVerifier.Open(newer, profiles, options))
        {
            Assert.That(verifier.Profiles.Count, Is.EqualTo(6));
            using var old = ProfileStore.Open(profiles, aligner.Enrolment.Identity, TinyModel.Size);
            for (int speaker = 0; speaker < 6; speaker++)
            {
                float[] test = TinyModel.Voice(speaker, 3), embedding = verifier.Embed(test);
                var want = old.Ids.ToDictionary(id => id, id => aligner.Score(old.Find(id)!.Embedding.Span, embedding));
                var matches = verifier.Identify(test, 6);
                Assert.That(matches.Select(m => m.Id), Is.EquivalentTo(want.Keys));
                Assert.That(matches.Select(m => m.Score), Is.Ordered.Descending);
                foreach (var match in matches)
                {
                    Assert.That(match.Score, Is.EqualTo(want[match.Id]).Within(1e-6));
                }

                var answer = verifier.Verify($"s{speaker}", test);
                Assert.That(answer.Score, Is.EqualTo(want[$"s{speaker}"]).Within(1e-6));
                Assert.That(answer.Accepted, Is.EqualTo(answer.Score >= line.Threshold));
            }

            Assert.That(() => verifier.Enroll("s7", [TinyModel.Voice(7)]), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("another model"));
        }

        Assert.That(File.ReadAllBytes(profiles), Is.EqualTo(stored), "the file stays as it is");
        Assert.Multiple(() =>
        {
            Assert.That(() => SpeakerVerifier.Open(newer, profiles), Throws.TypeOf<DataFormatException>().With.Message.Contains("another model").And.Message.Contains("aligner"));
            Assert.That(() => SpeakerVerifier.Open(_model, profiles, options), Throws.TypeOf<DataFormatException>().With.Message.Contains("another runtime model"));
            Assert.That(() => SpeakerVerifier.Open(newer, null, options), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("name their file"));
            Assert.That(() => SpeakerVerifier.Open(newer, _folder.At("absent.spk"), options), Throws.TypeOf<DataFormatException>().With.Message.Contains("does not exist"));
            Assert.That(
                () => SpeakerVerifier.Open(newer, profiles, options with { Calibration = Line }), Throws.TypeOf<DataFormatException>().With.Message.Contains("'cosine'").And.Message.Contains(aligner.Scoring));
            using var third = ProfileStore.Open(_folder.At("third.spk"), new string('7', 64), TinyModel.Size);
            third.Put(new Profile("a", TinyModel.Voice(1).AsMemory(0, TinyModel.Size), 1));
            third.Save();
            Assert.That(() => SpeakerVerifier.Open(newer, third.Path, options), Throws.TypeOf<DataFormatException>().With.Message.Contains("another model"));
        });
    }

    private Aligner Align(string newer)
    {
        using var device = new CpuDevice(1);
        var (old, runtime) = (SpeakerModel.Load(_model, device), SpeakerModel.Load(newer, device));
        string[] ids = [.. from s in Enumerable.Range(0, 12) from t in Enumerable.Range(4, 3) select $"s{s}/{t}"];
        EmbeddingTable Embed(SpeakerModel model) => new(
            ids, [.. ids.SelectMany(id => model.Embed(TinyModel.Voice(int.Parse(id[1..id.IndexOf('/')]), id[^1] - '0'), 16000))], TinyModel.Size);
        var data = AlignmentData.Join(Embed(old), Embed(runtime), id => id.Split('/')[0]);
        var spec = new AlignmentSpec { Variant = AlignmentVariant.ToEnrolment, Hidden = 32, HeldBack = 0, Epochs = 60, LearningRate = 3e-3 };
        return AlignmentTrainer.Run(data, old.ComputeIdentity(), runtime.ComputeIdentity(), spec, device).Aligner;
    }

    [Test]
    public void A_profile_is_the_mean_of_unit_embeddings()
    {
        using var verifier = Open();
        float[] a = verifier.Embed(TinyModel.Voice(1)), b = verifier.Embed(TinyModel.Voice(2, seconds: 2));
        double[] sum = [.. a.Zip(b, (x, y) => (double)x + y)];
        double length = Math.Sqrt(sum.Sum(v => v * v));
        var profile = verifier.Enroll("both", [TinyModel.Voice(1), TinyModel.Voice(2, seconds: 2)]);
        Close.Assert(profile.Embedding.Span, [.. sum.Select(v => v / length)], 1e-6, "profile");
    }

    [Test]
    public void Many_threads_at_once_get_what_one_gets()
    {
        using var verifier = Open(new VerifierOptions { Contexts = 3, Device = "cpu" });
        float[][] alone = [.. Enumerable.Range(0, 8).Select(s => verifier.Embed(TinyModel.Voice(s, seconds: 0.6)))];
        var problems = new ConcurrentQueue<string>();
        var threads = Enumerable.Range(0, 8).Select(t => new Thread(() =>
        {
            for (int i = 0; i < 12; i++)
            {
                int speaker = (t + i) % 8;
                if (!verifier.Embed(TinyModel.Voice(speaker, seconds: 0.6)).SequenceEqual(alone[speaker]))
                {
                    problems.Enqueue($"thread {t}, turn {i}: another embedding of {speaker}");
                }

                verifier.Enroll($"t{t}-{i}", [TinyModel.Voice(speaker, seconds: 0.6)]);
                if (verifier.Identify(TinyModel.Voice(speaker, seconds: 0.6), 1)[0].Score < 0.99999f || (i % 3 == 2 && !verifier.Profiles.Remove($"t{t}-{i}")))
                {
                    problems.Enqueue($"thread {t}, turn {i}: its own profile is not there");
                }
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.That(problems, Is.Empty);
        Assert.That(verifier.Profiles.Count, Is.EqualTo(8 * 8));
    }

    [Test]
    public async Task Waiting_callers_and_long_recordings_can_be_cancelled()
    {
        using var verifier = Open(new VerifierOptions { Contexts = 1, WindowSeconds = 1, Device = "cpu" });
        using var stop = new CancellationTokenSource();
        int pieces = 0;

        async IAsyncEnumerable<ReadOnlyMemory<float>> Endless()
        {
            while (true)
            {
                if (++pieces == 5)
                {
                    await stop.CancelAsync();
                }

                await Task.Yield();
                yield return TinyModel.Voice(1);
            }
        }

        Assert.That(async () => await verifier.EmbedAsync(Endless(), stop.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(pieces, Is.LessThan(8));
        Assert.That(() => verifier.Embed(TinyModel.Voice(1), stop.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await verifier.EmbedAsync(Pieces(TinyModel.Voice(1), 999)), Has.Length.EqualTo(TinyModel.Size), "the context came back");
    }

    [Test]
    public void Memory_stays_flat_over_many_recordings_and_within_a_long_one()
    {
        using var verifier = Open(new VerifierOptions { Contexts = 1, WindowSeconds = 2, Device = "cpu" });
        float[] wave = TinyModel.Voice(1, seconds: 2);
        for (int i = 0; i < 20; i++)
        {
            verifier.Embed(wave);
        }

        long held = verifier.HeldBytes;
        for (int i = 0; i < 200; i++)
        {
            verifier.Embed(wave.AsSpan(0, 8000 + (i * 100)));
        }

        verifier.Embed(TinyModel.Voice(1, seconds: 30));
        Assert.That(verifier.HeldBytes, Is.EqualTo(held));
    }

    [Test]
    [Category("Slow")]
    public void Ten_thousand_recordings_leave_memory_as_it_was()
    {
        using var verifier = Open();
        float[] wave = TinyModel.Voice(1, seconds: 0.6);
        for (int i = 0; i < 500; i++)
        {
            verifier.Embed(wave);
        }

        long held = verifier.HeldBytes, heap = Heap();
        for (int i = 0; i < 10_000; i++)
        {
            verifier.Embed(wave);
        }

        Assert.That(verifier.HeldBytes, Is.EqualTo(held));
        Assert.That(Heap(), Is.LessThan(heap + (1 << 20)));

        // Without what other tests left to be finalized. That may end later than it could, so that the heap may shrink, too.
        static long Heap()
        {
            GC.GetTotalMemory(forceFullCollection: true);
            GC.WaitForPendingFinalizers();
            return GC.GetTotalMemory(forceFullCollection: true);
        }
    }

    [Test]
    public void Unusable_recordings_are_refused_in_one_sentence()
    {
        using var verifier = Open();
        float[] silent = new float[16000], faint = [.. TinyModel.Voice(1).Select(v => v * 1e-4f)], loud = [.. TinyModel.Voice(1).Select(v => Math.Clamp(9 * v, -1, 1))], broken = TinyModel.Voice(1);
        broken[123] = float.NaN;
        Assert.Multiple(() =>
        {
            Assert.That(() => verifier.Embed([]), Throws.TypeOf<UnusableAudioException>().With.Message.StartsWith("The recording lasts 0.00 s"));
            Assert.That(() => verifier.Embed(TinyModel.Voice(1, seconds: 0.4)), Throws.TypeOf<UnusableAudioException>().With.Message.Contains("0.40 s where 0.5 s"));
            Assert.That(() => verifier.Embed(silent), Throws.TypeOf<UnusableAudioException>().With.Message.Contains("silent, all zeros"));
            Assert.That(() => verifier.Embed(faint), Throws.TypeOf<UnusableAudioException>().With.Message.Contains("silent, -"));
            Assert.That(
                () => verifier.Enroll("carol", [TinyModel.Voice(1), silent]),
                Throws.TypeOf<UnusableAudioException>().With.Message.StartsWith("Recording 2 of 'carol' is silent"));
            Assert.That(() => verifier.Embed(loud), Throws.TypeOf<UnusableAudioException>().With.Message.Contains("clipped"));
            Assert.That(() => verifier.Embed(broken), Throws.TypeOf<NonFiniteException>().With.Message.Contains("sample NaN at 123"));
            Assert.That(() => verifier.Enroll("x", []), Throws.TypeOf<DataFormatException>().With.Message.Contains("'x'"));
            Assert.That(() => verifier.Enroll("a\nb", [TinyModel.Voice(1)]), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("control"));
            Assert.That(() => verifier.Enroll(" ", [TinyModel.Voice(1)]), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => verifier.Score("nobody", TinyModel.Voice(1)), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("'nobody'"));
            Assert.That(() => verifier.Verify("nobody", TinyModel.Voice(1)), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("spk calibrate"));
            Assert.That(() => verifier.Identify(TinyModel.Voice(1), 0), Throws.TypeOf<InvalidOptionException>());
        });
    }

    [Test]
    public void A_calibration_beside_the_model_is_used_and_one_of_another_model_refused()
    {
        using var own = new TemporaryFolder();
        string model = TinyModel.Save(own.At("m.safetensors"));
        string identity;
        using (var without = SpeakerVerifier.Open(model))
        {
            identity = without.ModelIdentity;
            Assert.That(without.Calibration, Is.Null);
        }

        (Line with { Model = identity }).Save(own.At("calibration.json"));
        using (var with = SpeakerVerifier.Open(model))
        {
            Assert.That(with.Calibration!.Threshold, Is.EqualTo(0.5));
        }

        (Line with { Model = new string('0', 64) }).Save(own.At("calibration.json"));
        Assert.That(() => SpeakerVerifier.Open(model), Throws.TypeOf<DataFormatException>().With.Message.Contains("another model"));
        Assert.That(
            () => SpeakerVerifier.Open(model, null, new VerifierOptions { Calibration = Line with { Scoring = "as-norm, 300 nearest of 900" } }),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("as-norm"));

        // A calibration of normalized scores: with its cohort beside it, without, and with another.
        var cohort = new ScoreCohort(TinyModel.Table(30), new ScoreNormOptions { Top = 10 }, model: identity);
        string beside = Calibration.CohortPath(own.At("calibration.json"));
        Assert.That(beside, Is.EqualTo(own.At("calibration.cohort.safetensors")));
        (Line with { Model = identity, Scoring = cohort.Scoring, Cohort = cohort.Identity }).Save(own.At("calibration.json"));
        Assert.That(() => SpeakerVerifier.Open(model), Throws.TypeOf<DataFormatException>().With.Message.Contains("calibration.cohort.safetensors does not exist"));
        cohort.Save(beside);
        using (var with = SpeakerVerifier.Open(model))
        {
            Assert.That(with.Cohort!.Identity, Is.EqualTo(cohort.Identity));
        }

        new ScoreCohort(TinyModel.Table(30, seed: 9), cohort.Options).Save(beside);
        Assert.That(() => SpeakerVerifier.Open(model), Throws.TypeOf<DataFormatException>().With.Message.Contains("another cohort"));
        new ScoreCohort(TinyModel.Table(30), cohort.Options, model: new string('0', 64)).Save(beside);
        Assert.That(() => SpeakerVerifier.Open(model), Throws.TypeOf<DataFormatException>().With.Message.Contains("embeddings of another model"));
        File.WriteAllText(beside, "nonsense");
        Assert.That(() => SpeakerVerifier.Open(model), Throws.TypeOf<DataFormatException>().With.Message.Contains("calibration.cohort.safetensors"));
    }

    [TestCase(0.5, 0)]
    [TestCase(20, 30)]
    [TestCase(double.NaN, 0)]
    public void Options_outside_their_range_are_refused(double window, double minimum) =>
        Assert.That(
            () => SpeakerVerifier.Open(_model, null, new VerifierOptions { WindowSeconds = window, MinimumSeconds = minimum }),
            Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("verifier option "));

    [Test]
    public void Disposed_verifiers_say_so()
    {
        var verifier = Open();
        verifier.Dispose();
        verifier.Dispose();
        Assert.That(() => verifier.Embed(TinyModel.Voice(1)), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Identity_is_of_weights_and_definitions_not_of_files()
    {
        using var own = new TemporaryFolder();
        using var device = new CpuDevice(1);
        string other = TinyModel.Save(own.At("other.safetensors"), seed: 2), copy = own.At("copy.safetensors");
        var model = SpeakerModel.Load(_model, device);
        model.Save(copy);
        Assert.That(SpeakerModel.Load(copy, device).ComputeIdentity(), Is.EqualTo(model.ComputeIdentity()).And.Match("^[0-9a-f]{64}$"));
        Assert.That(SpeakerModel.Load(other, device).ComputeIdentity(), Is.Not.EqualTo(model.ComputeIdentity()));
    }

    private SpeakerVerifier Open(VerifierOptions? options = null) => SpeakerVerifier.Open(_model, null, options ?? new VerifierOptions { Contexts = 1, Device = "cpu" });

    private static async IAsyncEnumerable<ReadOnlyMemory<float>> Pieces(float[] wave, int size)
    {
        for (int at = 0; at < wave.Length; at += size)
        {
            await Task.Yield();
            yield return wave.AsMemory(at, Math.Min(size, wave.Length - at));
        }
    }
}
