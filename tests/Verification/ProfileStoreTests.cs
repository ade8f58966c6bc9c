using NUnit.Framework;
using Spk.Engine.Models;
using Spk.Engine.Verification;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Verification;

public class ProfileStoreTests
{
    private const string Model = "0123456789abcdef";

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void Profiles_come_back_from_the_file()
    {
        string path = _folder.At("new", "profiles.spk");
        using (var store = ProfileStore.Open(path, Model, 3))
        {
            Assert.That(store.Count, Is.Zero, "a file that does not exist is an empty store");
            store.Put(new Profile("Zoë 🎤", new float[] { 3, 0, 4 }, 2));
            store.Put(new Profile("a b", new float[] { 0, 1, 0 }, 1));
            store.Put(new Profile("gone", new float[] { 1, 0, 0 }, 1));
            Assert.That((store.Remove("gone"), store.Remove("gone")), Is.EqualTo((true, false)));
            store.Save();
        }

        byte[] bytes = File.ReadAllBytes(path);
        using var again = ProfileStore.Open(path, Model, 3);
        Assert.That(again.Ids, Is.EquivalentTo(["Zoë 🎤", "a b"]));
        Assert.That(again.Find("gone"), Is.Null);
        Assert.That(again.Find("Zoë 🎤")!.Recordings, Is.EqualTo(2));
        Close.Assert(again.Find("Zoë 🎤")!.Embedding.Span, new[] { 0.6, 0, 0.8 }, 1e-7, "unit length");
        again.Save();
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(bytes), "equal profiles, equal bytes");
        Assert.That(Directory.GetFiles(_folder.At("new")), Has.Length.EqualTo(1), "nothing is left beside it");
    }

    [TestCase(1, 5)]
    [TestCase(1024, 10)]
    [TestCase(5000, 10)]
    public void Nearest_profiles_are_those_of_all_cosines(int count, int top)
    {
        using var store = Filled(count, 7);
        float[] query = Unit(Samples.Normal(99, 7));
        var want = Enumerable.Range(0, count)
            .Select(i => (Id: $"s{i}", Score: store.Find($"s{i}")!.Embedding.ToArray().Zip(query, (a, b) => (double)a * b).Sum()))
            .OrderByDescending(p => p.Score).Take(top).ToArray();
        var got = store.Nearest(query, top);
        Assert.That(got.Select(m => m.Id), Is.EqualTo(want.Select(w => w.Id)));
        Close.Assert([.. got.Select(m => m.Score)], [.. want.Select(w => w.Score)], 1e-6, "scores");
    }

    [Test]
    public void Removed_profiles_leave_the_others_in_place()
    {
        using var store = Filled(2500, 5);
        for (int i = 0; i < 2500; i += 3)
        {
            Assert.That(store.Remove($"s{i}"), Is.True);
        }

        float[] all = Samples.Normal(4, 2500 * 5);
        for (int i = 1; i < 2500; i += 3)
        {
            Assert.That(store.Nearest(Unit(all[(i * 5)..((i + 1) * 5)]), 1)[0].Id, Is.EqualTo($"s{i}"));
        }
    }

    [Test]
    public void A_store_of_another_model_or_format_is_refused_and_unharmed()
    {
        string path = _folder.At("p.spk");
        Write(path);
        byte[] before = File.ReadAllBytes(path);
        Assert.That(() => ProfileStore.Open(path, "fedcba9876543210", 3), Throws.TypeOf<DataFormatException>().With.Message.EqualTo(
            $"{path} holds profiles of another model (0123456789ab, this is fedcba987654): scores between the two mean nothing; load that model, give an aligner of the two, or enrol the speakers again."));
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(before));

        string foreign = _folder.At("foreign.safetensors");
        var content = new SafetensorsContent();
        content.Add<float>("x", [1], 1);
        SafetensorsFile.Write(foreign, content);
        Assert.That(() => ProfileStore.Open(foreign, Model, 3), Throws.TypeOf<DataFormatException>().With.Message.Contains("no store of profiles"));
        content.Metadata["format"] = "spk-profiles";
        content.Metadata["format_version"] = "7";
        SafetensorsFile.Write(foreign, content);
        Assert.That(() => ProfileStore.Open(foreign, Model, 3), Throws.TypeOf<DataFormatException>().With.Message.Contains("version 7"));
    }

    [Test]
    public void Damage_anywhere_in_the_file_is_noticed()
    {
        string path = _folder.At("p.spk"), damaged = _folder.At("damaged.spk");
        Write(path);
        byte[] bytes = File.ReadAllBytes(path);
        for (int at = 0; at < bytes.Length; at += 3)
        {
            byte[] flipped = [.. bytes];
            flipped[at] ^= 0x10;
            File.WriteAllBytes(damaged, flipped);
            Refused($"a flipped bit in byte {at}");
            File.WriteAllBytes(damaged, bytes[..at]);
            Refused($"cut at byte {at}");
        }

        // Blanks pad the header and carry nothing.
        void Refused(string what)
        {
            try
            {
                using var store = ProfileStore.Open(damaged, Model, 3);
                Assert.That(store.Ids.Order(), Is.EqualTo(["a", "b"]), what);
                Assert.That(store.Find("a")!.Embedding.ToArray(), Is.EqualTo([1f, 0, 0]), what);
            }
            catch (DataFormatException error)
            {
                Assert.That(error.Message, Does.Contain("damaged.spk"), what);
            }
        }
    }

    [Test]
    public void What_a_killed_writer_leaves_behind_does_no_harm()
    {
        string path = _folder.At("p.spk");
        Write(path);
        File.WriteAllBytes(_folder.At(".p.spk.4711-1.tmp"), File.ReadAllBytes(path)[..40]);
        using var store = ProfileStore.Open(path, Model, 3);
        Assert.That(store.Count, Is.EqualTo(2));
        store.Put(new Profile("c", new float[] { 0, 0, 1 }, 1));
        store.Save();
        using var again = ProfileStore.Open(path, Model, 3);
        Assert.That(again.Count, Is.EqualTo(3));
    }

    [Test]
    public void An_enrolment_that_cannot_be_stored_changes_nothing()
    {
        string folder = _folder.At("taken"), path = Path.Combine(folder, "p.spk");
        using var store = ProfileStore.Open(path, Model, 3);
        store.PutAndSave(new Profile("a", new float[] { 1, 0, 0 }, 1));
        File.Delete(path);
        Directory.CreateDirectory(path);
        Assert.That(() => store.PutAndSave(new Profile("b", new float[] { 0, 1, 0 }, 1)), Throws.InstanceOf<SpkException>().With.Message.Contains("p.spk"));
        Assert.That(() => store.PutAndSave(new Profile("a", new float[] { 0, 1, 0 }, 2)), Throws.InstanceOf<SpkException>());
        Assert.That(store.Ids, Is.EqualTo(["a"]));
        Assert.That(store.Find("a")!.Embedding.ToArray(), Is.EqualTo([1f, 0, 0]));
    }

    [Test]
    public void Profiles_that_do_not_fit_are_refused()
    {
        using var store = new ProfileStore(Model, 3);
        Assert.Multiple(() =>
        {
            Assert.That(() => store.Put(new Profile("a", new float[] { 1, 0 }, 1)), Throws.TypeOf<ShapeException>());
            Assert.That(() => store.Put(new Profile("a", new float[3], 1)), Throws.TypeOf<NonFiniteException>());
            Assert.That(() => store.Put(new Profile("a", new float[] { 1, float.NaN, 0 }, 1)), Throws.TypeOf<NonFiniteException>());
            Assert.That(() => store.Put(new Profile("a", new float[] { 1, 0, 0 }, 0)), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => store.Put(new Profile(new string('x', 257), new float[] { 1, 0, 0 }, 1)), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => store.Put(new Profile("\ud800", new float[] { 1, 0, 0 }, 1)), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => store.Nearest(new float[2], 1), Throws.TypeOf<ShapeException>());
            Assert.That(store.Save, Throws.TypeOf<InvalidOperationException>());
            Assert.That(store.Nearest([1, 0, 0], 5), Is.Empty);
        });
    }

    private static void Write(string path)
    {
        using var store = ProfileStore.Open(path, Model, 3);
        store.Put(new Profile("a", new float[] { 1, 0, 0 }, 1));
        store.Put(new Profile("b", new float[] { 0, 1, 0 }, 3));
        store.Save();
    }

    private static ProfileStore Filled(int count, int size)
    {
        var store = new ProfileStore(Model, size);
        float[] values = Samples.Normal(4, count * size);
        for (int i = 0; i < count; i++)
        {
            store.Put(new Profile($"s{i}", values.AsMemory(i * size, size), 1));
        }

        return store;
    }

    private static float[] Unit(float[] vector)
    {
        double length = Math.Sqrt(vector.Sum(v => (double)v * v));
        return [.. vector.Select(v => (float)(v / length))];
    }
}
