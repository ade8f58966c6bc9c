using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;

namespace Spk.Tests.Support;

/// <summary>The encoders in training, written again from methods.md section 3 in plain f64; weights by name, in memory order.</summary>
public static class ModelReference
{
    /// <summary>A ResNet of these blocks a stage; the weight of its last layer in the order of files.</summary>
    public static double[] ResNet(EncoderSpec spec, Frames x, IReadOnlyDictionary<string, double[]> w, int[] blocks)
    {
        var map = new Maps(x.N, x.C, x.T, 1, Frames.Make(x.N, x.C, x.T, (n, f, t) => x[n, t, f]).V);
        map = MapReference.Conv2d(map, w["conv1.weight"], spec.Width, 7, 2, 1);
        map = map.With(EncoderReference.Map(Norm(map.AsFrames, w, "bn1", null), EncoderReference.Relu));
        for (int stage = 0; stage < blocks.Length; stage++)
        {
            for (int i = 0; i < blocks[stage]; i++)
            {
                map = ResidualBlock(map, w, $"layer{stage + 1}.{i}", spec.Width << stage, i == 0 && stage is 1 or 2 ? 2 : 1);
            }
        }

        double[] pooled = spec.Pooling == EncoderPooling.Sap
            ? MapReference.SelfAttentivePool(map, w["sap_linear.weight"], w["sap_linear.bias"], w["attention"])
            : MapReference.FlattenedStatistics(map);
        return Linear(new Frames(x.N, 1, pooled.Length / x.N, pooled), w, "fc").V;
    }

    private static Maps ResidualBlock(Maps x, IReadOnlyDictionary<string, double[]> w, string name, int outputs, int stride)
    {
        var inner = MapReference.Conv2d(x, w[name + ".conv1.weight"], outputs, 3, stride, stride);
        inner = inner.With(Norm(inner.AsFrames, w, name + ".bn1", EncoderReference.Relu));
        inner = MapReference.Conv2d(inner, w[name + ".conv2.weight"], outputs, 3, 1, 1);
        var sum = Norm(inner.AsFrames, w, name + ".bn2", null);
        sum = EncoderReference.SqueezeExcite(
            sum, w[name + ".se.fc.0.weight"], w[name + ".se.fc.0.bias"], w[name + ".se.fc.2.weight"], w[name + ".se.fc.2.bias"]);
        if (w.TryGetValue(name + ".downsample.0.weight", out double[]? downsample))
        {
            x = MapReference.Conv2d(x, downsample, outputs, 1, stride, stride);
            x = x.With(Norm(x.AsFrames, w, name + ".downsample.1", null));
        }

        return inner.With(EncoderReference.Map(sum + x.AsFrames, EncoderReference.Relu));
    }

    public static double[] Embed(EncoderSpec spec, Frames x, IReadOnlyDictionary<string, double[]> w) =>
        spec.Kind switch { "tdnn" => Tdnn(spec, x, w), "gru" => Gru(spec, x, w), _ => Ecapa(spec, x, w) };

    private static double[] Gru(EncoderSpec spec, Frames x, IReadOnlyDictionary<string, double[]> w)
    {
        for (int i = 0; i < spec.Layers; i++)
        {
            x = new Frames(x.N, x.T, spec.Width, GruReference.States(
                x.N, x.T, x.C, spec.Width, x.V, new double[x.N * spec.Width], w[$"gru.weight_ih_l{i}"], w[$"gru.weight_hh_l{i}"], w[$"gru.bias_ih_l{i}"], w[$"gru.bias_hh_l{i}"]));
        }

        return Linear(EncoderReference.StatsPool(x, 1e-7, PoolVariance.UnbiasedPlusEps), w, "embedding").V;
    }

    private static double[] Tdnn(EncoderSpec spec, Frames x, IReadOnlyDictionary<string, double[]> w)
    {
        Func<double, double> activation = spec.Variant == EncoderVariant.Sslsv ? EncoderReference.LeakyRelu : EncoderReference.Relu;
        var layers = new[] { (5, 1), (3, 2), (3, 3), (1, 1), (1, 1) };
        for (int i = 0; i < layers.Length; i++)
        {
            x = Block(x, w, $"frames.{i}", layers[i].Item1, layers[i].Item2, Padding.Valid, activation);
        }

        x = EncoderReference.StatsPool(x, 1e-7, PoolVariance.UnbiasedPlusEps);
        x = Norm(Linear(x, w, "segment.linear"), w, "segment.norm", EncoderReference.Relu);
        return Linear(x, w, "embedding").V;
    }

    private static double[] Ecapa(EncoderSpec spec, Frames x, IReadOnlyDictionary<string, double[]> w)
    {
        bool sslsv = spec.Variant == EncoderVariant.Sslsv;
        var padding = sslsv ? Padding.Reflect : Padding.Zero;
        x = Block(x, w, "stem", 5, 1, padding, EncoderReference.Relu);
        var outputs = new List<Frames>();
        for (int i = 0; i < 3; i++)
        {
            string name = $"blocks.{i}";
            int dilation = i + 2;
            var inner = Block(x, w, name + ".enter", 1, 1, padding, EncoderReference.Relu);
            inner = EncoderReference.Res2(
                inner, spec.Scale, sslsv, (j, group) => Block(group, w, $"{name}.res2.{j}", 3, dilation, padding, EncoderReference.Relu));
            inner = Block(inner, w, name + ".leave", 1, 1, padding, EncoderReference.Relu);
            x += EncoderReference.SqueezeExcite(
                inner, w[name + ".excite.reduce.weight"], w[name + ".excite.reduce.bias"], w[name + ".excite.expand.weight"], w[name + ".excite.expand.bias"]);
            outputs.Add(x);
        }

        x = Linear(Frames.Concat([.. outputs]), w, "aggregation.conv");
        x = sslsv ? Norm(x, w, "aggregation.norm", EncoderReference.Relu) : EncoderReference.Map(x, EncoderReference.Relu);
        x = EncoderReference.AttentiveStatsPool(
            x,
            w["pool.context.weight"],
            w["pool.context.bias"],
            w["pool.score.weight"],
            w["pool.score.bias"],
            w.GetValueOrDefault("pool.norm.weight"),
            w.GetValueOrDefault("pool.norm.bias"),
            sslsv ? 1e-12 : 1e-7,
            sslsv ? PoolVariance.BiasedClamped : PoolVariance.UnbiasedPlusEps);
        return Linear(Norm(x, w, "norm", null), w, "embedding").V;
    }

    private static Frames Block(
        Frames x, IReadOnlyDictionary<string, double[]> w, string name, int taps, int dilation, Padding padding, Func<double, double> activation) =>
        Norm(EncoderReference.Conv1d(x, w[name + ".conv.weight"], w[name + ".conv.bias"], taps, dilation, padding), w, name + ".norm", activation);

    private static Frames Linear(Frames x, IReadOnlyDictionary<string, double[]> w, string name) =>
        EncoderReference.Linear(x, w[name + ".weight"], w[name + ".bias"]);

    private static Frames Norm(Frames x, IReadOnlyDictionary<string, double[]> w, string name, Func<double, double>? before) =>
        EncoderReference.BatchNorm(x, w.GetValueOrDefault(name + ".weight"), w.GetValueOrDefault(name + ".bias"), before);
}
