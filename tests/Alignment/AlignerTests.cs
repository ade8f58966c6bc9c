using NUnit.Framework;
using Spk.Engine.Alignment;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Alignment;

public class AlignerTests
{
    private static readonly AlignedModel Old = new("0123456789abcdef", 3), New = new("fedcba9876543210", 2);

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void A_map_is_what_its_definition_says()
    {
        float[] w = Samples.Normal(1, 6), b = Samples.Normal(2, 2), h = Samples.Normal(3, 15), c = Samples.Normal(4, 5), v = Samples.Normal(5, 10), x = [3, 0, 4];
        double[] hidden = [.. Enumerable.Range(0, 5).Select(k => Math.Max(0, (0.6 * h[3 * k]) + (0.8 * h[(3 * k) + 2]) + c[k]))];
        double[] want = [.. Enumerable.Range(0, 2).Select(o => (0.6 * w[3 * o]) + (0.8 * w[(3 * o) + 2]) + b[o] + hidden.Select((u, k) => u * v[(5 * o) + k]).Sum())];
        double length = Math.Sqrt(want.Sum(y => y * y));
        var got = new float[2];
        new AlignmentMap(3, w, b, h, c, v).Apply(x, got);
        Close.Assert(got, [.. want.Select(y => y / length)], 1e-6, "map");
    }

    [Test]
    public void A_side_without_a_map_stays_as_it_is_at_unit_length()
    {
        var aligner = Perceptron();
        Close.Assert(aligner.MapRuntime([0, -7]), [0, -1], 1e-7, "runtime");
        Assert.That(aligner.SharedSize, Is.EqualTo(2));
        Assert.That(aligner.Score([3, 0, 4], [0, -7]), Is.EqualTo(-aligner.MapEnrolment([3, 0, 4])[1]).Within(1e-6));
    }

    [Test]
    public void It_comes_back_from_its_file_bit_by_bit([Values] bool perceptron)
    {
        var aligner = perceptron ? Perceptron() : Linear();
        string path = _folder.At("new", "aligner.safetensors"), again = _folder.At("again.safetensors");
        aligner.Save(path);
        var read = Aligner.Load(path);
        read.Save(again);
        Assert.That(File.ReadAllBytes(again), Is.EqualTo(File.ReadAllBytes(path)));
        Assert.That((read.Variant, read.Enrolment, read.Runtime, read.SharedSize, read.Identity), Is.EqualTo((aligner.Variant, Old, New, aligner.SharedSize, aligner.Identity)));
        Assert.That(read.MapEnrolment([1, 2, 3]), Is.EqualTo(aligner.MapEnrolment([1, 2, 3])));
        Assert.That(read.MapRuntime([1, 2]), Is.EqualTo(aligner.MapRuntime([1, 2])));
        Assert.That(Perceptron().Identity, Is.Not.EqualTo(Linear().Identity));
    }

    [Test]
    public void Tables_are_mapped_row_by_row_and_zeros_stay_zeros()
    {
        var aligner = Linear();
        float[] rows = [1, 2, 3, 0, 0, 0, -1, 5, 2];
        var mapped = aligner.MapEnrolments(new EmbeddingTable(["a", "b", "c"], rows, 3));
        Assert.That(mapped.Row(0).ToArray(), Is.EqualTo(aligner.MapEnrolment(rows.AsSpan(0, 3))).Within(1e-6));
        Assert.That(mapped.Row(2).ToArray(), Is.EqualTo(aligner.MapEnrolment(rows.AsSpan(6, 3))).Within(1e-6));
        Assert.That((mapped.ZeroRows, mapped.Lengths[1]), Is.EqualTo((1, 0f)));
        Assert.That(() => aligner.MapRuntimes(new EmbeddingTable(["a"], new float[] { 1, 2, 3 }, 3)), Throws.TypeOf<ShapeException>().With.Message.Contains("another model"));
    }

    [Test]
    public void Any_number_of_threads_may_map()
    {
        var aligner = Perceptron();
        float[] want = aligner.MapEnrolment([1, 2, 3]);
        var got = new float[200][];
        Parallel.For(0, got.Length, i => got[i] = aligner.MapEnrolment([1, 2, 3]));
        Assert.That(got, Is.All.EqualTo(want));
    }

    [Test]
    public void Vectors_and_models_that_do_not_fit_are_refused()
    {
        var aligner = Linear();
        Assert.Multiple(() =>
        {
            Assert.That(() => aligner.MapEnrolment([1, 2]), Throws.TypeOf<ShapeException>().With.Message.Contains("size 2").And.Message.Contains("size 3"));
            Assert.That(() => aligner.MapEnrolment([0, 0, 0]), Throws.TypeOf<NonFiniteException>());
            Assert.That(() => aligner.MapRuntime([float.NaN, 0]), Throws.TypeOf<NonFiniteException>());
            Assert.That(() => aligner.RequirePair(Old.Identity, New.Identity), Throws.Nothing);
            Assert.That(() => aligner.RequirePair(New.Identity, New.Identity, "a.safetensors"), Throws.TypeOf<DataFormatException>()
                .With.Message.EqualTo("a.safetensors was made for another enrolment model (0123456789ab, this is fedcba987654): train an aligner for this pair of models."));
            Assert.That(() => aligner.RequirePair(Old.Identity, Old.Identity), Throws.TypeOf<DataFormatException>().With.Message.Contains("another runtime model"));
            Assert.That(() => new Aligner(AlignmentVariant.Procrustes, Old, New, null, null), Throws.TypeOf<ShapeException>());
            Assert.That(() => new AlignmentMap(3, new float[5], new float[2]), Throws.TypeOf<ShapeException>());
            Assert.That(() => new AlignmentMap(1, [float.NaN], [0]), Throws.TypeOf<NonFiniteException>());
        });
    }

    [Test]
    public void Files_that_are_no_aligner_are_refused()
    {
        string path = _folder.At("a.safetensors");
        Refused("cannot read");
        Write(content => content.Metadata["format"] = "spk-model");
        Refused("no aligner");
        Write(content => content.Metadata["format_version"] = "9");
        Refused("version 9");
        Write(content => content.Metadata["variant"] = "sideways");
        Refused("variant");
        Write(content => content.Metadata.Remove("runtime_model"));
        Refused("runtime model");
        Write(content => content.Metadata["enrolment_size"] = "4");
        Refused("size 4");
        Write(content => content.Add<float>("runtime.bias", [0, 0], 2));
        Refused("runtime.skip.weight");

        void Refused(string word) => Assert.That(() => Aligner.Load(path), Throws.TypeOf<DataFormatException>().With.Message.Contains(word).And.Message.Contains("a.safetensors"));

        void Write(Action<SafetensorsContent> change)
        {
            var content = new SafetensorsContent();
            content.Metadata["format"] = "spk-aligner";
            content.Metadata["format_version"] = "1";
            content.Metadata["variant"] = "ToRuntime";
            (content.Metadata["enrolment_model"], content.Metadata["enrolment_size"]) = (Old.Identity, "3");
            (content.Metadata["runtime_model"], content.Metadata["runtime_size"]) = (New.Identity, "2");
            content.Add<float>("enrolment.skip.weight", [1, 2, 3, 4, 5, 6], 2, 3);
            content.Add<float>("enrolment.bias", [0, 0], 2);
            change(content);
            SafetensorsFile.Write(path, content);
        }
    }

    [Test]
    public void Damage_anywhere_in_the_file_is_noticed()
    {
        string path = _folder.At("a.safetensors"), damaged = _folder.At("damaged.safetensors");
        var aligner = Linear();
        aligner.Save(path);
        byte[] bytes = File.ReadAllBytes(path);
        for (int at = 0; at < bytes.Length; at += 5)
        {
            byte[] flipped = [.. bytes];
            flipped[at] ^= 0x10;
            Try(flipped, $"a flipped bit in byte {at}");
            Try(bytes[..at], $"cut at byte {at}");
        }

        // Blanks pad the header, and the library's version changes nothing; the names of the models are all that ties it to them.
        void Try(byte[] content, string what)
        {
            File.WriteAllBytes(damaged, content);
            try
            {
                var read = Aligner.Load(damaged);
                Assert.That(read.Enrolment != Old || read.Runtime != New || read.Identity == aligner.Identity, what);
            }
            catch (DataFormatException error)
            {
                Assert.That(error.Message, Does.Contain("damaged.safetensors"), what);
            }
        }
    }

    private static Aligner Linear() => new(AlignmentVariant.Procrustes, Old, New, null, new AlignmentMap(2, Samples.Normal(6, 6), new float[3]));

    private static Aligner Perceptron() => new(
        AlignmentVariant.ToRuntime, Old, New, new AlignmentMap(3, Samples.Normal(1, 6), Samples.Normal(2, 2), Samples.Normal(3, 15), Samples.Normal(4, 5), Samples.Normal(5, 10)), null);
}
