using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Positives;

namespace Spk.Tests.Objectives;

/// <summary>COLA and APC as a run meets them, on every device, against f64.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class ComparatorTests(TestDevice on)
{
    private const int Batch = 5, Bins = 6, Frames = 9;

    private static readonly EncoderSpec Gru = new() { Kind = "gru", Bins = Bins, Width = 7, EmbeddingSize = 4, Layers = 2 };

    [Test]
    public void Cola_compares_heads_by_its_bilinear_form()
    {
        const int size = 4, outputs = 6;
        using var device = on.Open();
        var objective = (Cola)Create(new ObjectiveSpec { Kind = ObjectiveKind.Cola, Cola = new ColaSpec { Outputs = outputs } }, Context(device, views: 2));
        objective.Allocate(3);
        var head = objective.Parameters.Trainable.Where(p => p.Name.StartsWith(Objective.Prefix, StringComparison.Ordinal)).ToArray();
        Assert.That(head.Select(p => p.Name), Is.EqualTo((string[])["objective.linear.weight", "objective.linear.bias", "objective.norm.weight", "objective.norm.bias", "objective.similarity"]));
        head[4].Value.CopyFrom(Samples.Normal(9, outputs * outputs));
        float[] rows = Samples.Normal(5, 2 * Batch * size);
        var embeddings = Samples.Variable(device, new Shape(2 * Batch, size), rows);
        var tape = new Tape();
        var loss = objective.Compare(tape, embeddings);
        objective.Parameters.ZeroGradients();
        tape.Backward(loss);

        double[][] values = [Samples.ToDouble(rows), .. head.Select(p => Samples.ToDouble(Samples.Read(p.Value)))];
        double Want(double[][] v) => ColaLoss(v[0], size, v[1], v[2], v[3], v[4], v[5], outputs);
        Assert.That(Samples.Read(loss)[0], Is.EqualTo(Want(values)).Within(1e-5));
        Assert.That(objective.Statistics.HitRate, Is.InRange(0, 1));
        for (int k = 0; k < values.Length; k++)
        {
            double[] want = GradientCheck.Differences(values, k, Want);
            Close.Assert(Samples.Read(k == 0 ? embeddings.Grad! : head[k - 1].Value.Grad!), want, 2e-4 * Math.Max(1e-2, want.Max(Math.Abs)), k == 0 ? "embeddings" : head[k - 1].Name);
        }
    }

    [Test]
    public void Apc_predicts_frames_ahead_and_leaves_the_embedding_as_it_is()
    {
        const int ahead = 2;
        using var device = on.Open();
        var objective = (Apc)Create(new ObjectiveSpec { Kind = ObjectiveKind.Apc, Apc = new ApcSpec { Ahead = ahead } }, Context(device, views: 1));
        objective.Allocate(3);
        float[] features = Samples.Normal(5, Batch * Frames * Bins);
        objective.Prepare(new TrainingBatch(Batch, 1), default);
        var tape = new Tape();
        var loss = objective.Loss(tape, new StepFeatures(Samples.Constant(device, new Shape(Batch, Frames, Bins), features)));
        objective.Parameters.ZeroGradients();
        tape.Backward(loss);

        var names = objective.Parameters.Trainable.Select(p => p.Name).ToArray();
        double[][] values = [.. objective.Parameters.Trainable.Select(p => Samples.ToDouble(Samples.Read(p.Value)))];
        double Want(double[][] v) => ApcLoss(Samples.ToDouble(features), names.Zip(v).ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal), ahead);
        Assert.That(Samples.Read(loss)[0], Is.EqualTo(Want(values)).Within(1e-5));
        Assert.That(objective.Embeddings.Shape, Is.EqualTo(new Shape(Batch, 4)));
        foreach (string name in new[] { "encoder.gru.weight_hh_l0", "encoder.gru.bias_ih_l1", "objective.predictor.weight", "encoder.embedding.weight" })
        {
            int k = Array.IndexOf(names, name);
            double[] want = GradientCheck.Differences(values, k, Want);
            Close.Assert(Samples.Read(objective.Parameters.Trainable[k].Value.Grad!), want, 2e-4 * Math.Max(1e-3, want.Max(Math.Abs)), name);
        }

        Assert.That(Samples.Read(objective.Parameters.Trainable[Array.IndexOf(names, "encoder.embedding.weight")].Value.Grad!), Is.All.Zero);
    }

    [Test]
    public void What_does_not_fit_is_named()
    {
        using var device = on.Open(1);
        Assert.That(() => Create(new ObjectiveSpec { Kind = ObjectiveKind.Cola }, Context(device, views: 3)), Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("data.views = 3"));
        Assert.That(
            () => Create(new ObjectiveSpec { Kind = ObjectiveKind.Apc }, Context(device, views: 1) with { Encoder = new EncoderSpec { Bins = Bins, Width = 4 } }),
            Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("encoder.kind = tdnn"));
    }

    private static Objective Create(ObjectiveSpec spec, ObjectiveContext context) => Objective.Create(spec, new PositiveSamplingSpec(), context);

    private static ObjectiveContext Context(Spk.Engine.Devices.Device device, int views) => new() { Device = device, Encoder = Gru, Batch = Batch, Views = views };

    private static double ColaLoss(double[] rows, int size, double[] linear, double[] bias, double[] gamma, double[] beta, double[] similarity, int outputs)
    {
        double[][] heads = [.. rows.Chunk(size).Select(row =>
        {
            double[] y = [.. Enumerable.Range(0, outputs).Select(o => bias[o] + row.Select((v, i) => v * linear[(o * size) + i]).Sum())];
            double mean = y.Average(), deviation = Math.Sqrt(y.Average(v => (v - mean) * (v - mean)) + 1e-5);
            return y.Select((v, o) => Math.Tanh(((v - mean) / deviation * gamma[o]) + beta[o])).ToArray();
        })];
        double sum = 0;
        for (int i = 0; i < Batch; i++)
        {
            double[] logits = [.. Enumerable.Range(0, Batch).Select(j =>
                Enumerable.Range(0, outputs * outputs).Sum(p => heads[i][p / outputs] * similarity[p] * heads[Batch + j][p % outputs]))];
            sum += Math.Log(logits.Sum(Math.Exp)) - logits[i];
        }

        return sum / Batch;
    }

    private static double ApcLoss(double[] features, Dictionary<string, double[]> w, int ahead)
    {
        double[] states = features;
        for (int layer = 0; layer < Gru.Layers; layer++)
        {
            double[] Of(string part) => w[$"encoder.gru.{part}_l{layer}"];
            states = GruReference.States(
                Batch, Frames, layer == 0 ? Bins : Gru.Width, Gru.Width, states, new double[Batch * Gru.Width], Of("weight_ih"), Of("weight_hh"), Of("bias_ih"), Of("bias_hh"));
        }

        var (weight, bias) = (w["objective.predictor.weight"], w["objective.predictor.bias"]);
        double sum = 0;
        for (int n = 0; n < Batch; n++)
        {
            for (int t = 0; t < Frames - ahead; t++)
            {
                for (int f = 0; f < Bins; f++)
                {
                    int from = ((n * Frames) + t) * Gru.Width;
                    double predicted = bias[f] + Enumerable.Range(0, Gru.Width).Sum(u => weight[(f * Gru.Width) + u] * states[from + u]);
                    sum += Math.Abs(predicted - features[(((n * Frames) + t + ahead) * Bins) + f]);
                }
            }
        }

        return sum / (Batch * (Frames - ahead) * Bins);
    }
}
