using NUnit.Framework;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Scoring;

public class EmbeddingTableTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("spk-table").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Rows_are_of_unit_length_and_cosines_match_f64()
    {
        const int Count = 5, Dimension = 33;
        var values = Samples.Normal(4, Count * Dimension, 3f);
        var table = new EmbeddingTable(["a", "b", "c", "d", "e"], values, Dimension);
        var all = new float[Count];
        for (int i = 0; i < Count; i++)
        {
            table.CosinesWithAll(i, all);
            for (int j = 0; j < Count; j++)
            {
                double dot = 0, first = 0, second = 0;
                for (int d = 0; d < Dimension; d++)
                {
                    double x = values[(i * Dimension) + d], y = values[(j * Dimension) + d];
                    (dot, first, second) = (dot + (x * y), first + (x * x), second + (y * y));
                }

                Assert.That(table.Cosine(table.Ids[i], table.Ids[j]), Is.EqualTo(dot / Math.Sqrt(first * second)).Within(Tolerance.Reduction(Dimension)));
                Assert.That(all[j], Is.EqualTo(table.Cosine(i, j)));
                Assert.That(table.Cosine(i, j), Is.InRange(-1f, 1f));
            }

            Assert.That(table.Lengths[i], Is.GreaterThan(3f));
        }
    }

    [Test]
    public void A_zero_vector_scores_0_with_everything()
    {
        var table = new EmbeddingTable(["zero", "one"], [0f, 0f, 3f, 4f], 2);
        Assert.That((table.ZeroRows, table.Cosine(0, 1), table.Cosine(0, 0), table.Cosine(1, 1)), Is.EqualTo((1, 0f, 0f, 1f)));
    }

    [Test]
    public void Extreme_lengths_survive()
    {
        var table = new EmbeddingTable(["huge", "tiny"], [3e38f, 3e38f, 1e-40f, 1e-40f], 2);
        Assert.That(table.Cosine(0, 1), Is.EqualTo(1f).Within(1e-6f));
    }

    [Test]
    public void Bad_tables_are_refused_with_the_utterance_named()
    {
        Assert.That(() => new EmbeddingTable(["a", "b"], [1f, 0f, float.NaN, 1f], 2), Throws.TypeOf<NonFiniteException>().With.Message.Contains("'b'"));
        Assert.That(() => new EmbeddingTable(["a", "b"], [1f, 0f, 1f], 2), Throws.TypeOf<ShapeException>());
        Assert.That(() => new EmbeddingTable(["a", "a"], [1f, 0f], 1), Throws.TypeOf<DataFormatException>().With.Message.Contains("'a'"));
        Assert.That(() => new EmbeddingTable(["a"], [1f], 1).Cosine("a", "x"), Throws.TypeOf<DataFormatException>().With.Message.Contains("'x'"));
        Assert.That(() => new EmbeddingTable(["a"], [1f], 1).Cosines([0], [0], new float[2]), Throws.TypeOf<ShapeException>());
    }

    [TestCase("x.npy")]
    [TestCase("x.ark")]
    public void Saving_and_loading_keeps_rows(string name)
    {
        var table = new EmbeddingTable(["eval/a/1.wav", "eval/b/2.wav", "eval/c/3.wav"], Samples.Normal(8, 3 * 7), 7);
        string path = Path.Combine(_folder, name);
        table.Save(path);
        string companion = Path.Combine(_folder, name == "x.npy" ? "x.ids.txt" : "x.scp");
        Assert.That(File.ReadLines(companion).Count(), Is.EqualTo(3));
        foreach (string from in name == "x.npy" ? [path] : new[] { path, companion })
        {
            var loaded = EmbeddingTable.Load(from);
            Assert.That(loaded.Ids, Is.EqualTo(table.Ids));
            Close.Assert(loaded.Values, table.Values, Tolerance.ElementWise, from);
        }
    }

    [Test]
    public void A_matrix_that_does_not_fit_its_ids_is_refused()
    {
        string path = Path.Combine(_folder, "x.npy");
        NpyFile.Write(path, [1f, 2f, 3f, 4f], 2, 2);
        Assert.That(() => EmbeddingTable.Load(path), Throws.TypeOf<DataFormatException>().With.Message.Contains("x.ids.txt is missing"));
        File.WriteAllText(Path.Combine(_folder, "x.ids.txt"), "a\nb\nc\n");
        Assert.That(() => EmbeddingTable.Load(path), Throws.TypeOf<DataFormatException>().With.Message.Contains("names 3 utterances"));
        Assert.That(() => EmbeddingTable.Load(Path.Combine(_folder, "x.csv")), Throws.TypeOf<InvalidOptionException>());
        Assert.That(() => EmbeddingTable.Load(Path.Combine(_folder, "absent.npy")), Throws.TypeOf<DataFormatException>());
    }

    [Test]
    public void Text_archives_and_f64_archives_are_read()
    {
        string text = Path.Combine(_folder, "t.ark");
        KaldiArk.Write(text, null, ["u1", "u2"], new float[] { 1.5f, -2e-9f, 3f, 4f }, 2, text: true);
        Assert.That(File.ReadAllText(text), Is.EqualTo("u1  [ 1.5 -2E-09 ]\nu2  [ 3 4 ]\n"));
        var (ids, values, dimension) = KaldiArk.Read(text);
        Assert.That((ids[1], dimension), Is.EqualTo(("u2", 2)));
        Assert.That(values, Is.EqualTo(new[] { 1.5f, -2e-9f, 3f, 4f }));

        string doubles = Path.Combine(_folder, "d.ark");
        File.WriteAllBytes(doubles, [.. "u "u8, 0, .. "BDV "u8, 4, 1, 0, 0, 0, .. BitConverter.GetBytes(2.5)]);
        Assert.That(KaldiArk.Read(doubles).Values, Is.EqualTo(new[] { 2.5f }));
    }

    [Test]
    public void Damaged_archives_are_refused()
    {
        string path = Path.Combine(_folder, "x.ark");
        KaldiArk.Write(path, null, ["u1", "u2"], new float[] { 1, 2, 3, 4 }, 2);
        byte[] whole = File.ReadAllBytes(path);
        for (int length = 0; length < whole.Length; length++)
        {
            if (length == whole.Length / 2)
            {
                continue; // exactly the first entry: a shorter, sound archive
            }

            File.WriteAllBytes(path, whole[..length]);
            Assert.That(() => KaldiArk.Read(path), Throws.TypeOf<DataFormatException>(), $"cut to {length} bytes");
        }

        File.WriteAllText(path, "u1 [ 1 2 ]\nu2 [ 1 2 3 ]\n");
        Assert.That(() => KaldiArk.Read(path), Throws.TypeOf<DataFormatException>().With.Message.Contains("'u2' has 3 elements"));
        Assert.That(() => KaldiArk.Write(path, null, ["a b"], new float[] { 1 }, 1), Throws.TypeOf<DataFormatException>().With.Message.Contains("white space"));
    }
}
