using Spk.Engine.Encoders;

namespace Spk.Engine.Models.Interchange;

/// <summary>The graph of every encoder, from features [N, T, F] to embeddings [N, E].</summary>
internal static class OnnxEncoders
{
    // Axes of frames [N, C, T] and of maps [N, C, H, W].
    private static readonly int[] Time = [2], Area = [2, 3];

    /// <summary>Adds an encoder's nodes.</summary>
    /// <returns>Name of the embeddings.</returns>
    public static string Write(OnnxLayers layers, EncoderSpec spec, string features) => spec.Kind switch
    {
        "ecapa" => Ecapa(layers, spec, features),
        "resnet" => ResNet(layers, spec, features),
        "gru" => Gru(layers, spec, features),
        _ => Tdnn(layers, spec, features),
    };

    private static string Tdnn(OnnxLayers layers, EncoderSpec spec, string features)
    {
        string x = layers.Transpose(features, 0, 2, 1);
        string activation = spec.Variant == EncoderVariant.Sslsv ? "LeakyRelu" : "Relu";
        int[] dilations = [1, 2, 3, 1, 1];
        for (int i = 0; i < dilations.Length; i++)
        {
            x = layers.Frame($"frames.{i}", x, dilations[i], PaddingMode.Valid, activation);
        }

        x = layers.Pool(x, unbiased: true, eps: 1e-7f, keepTime: false);
        if (spec.Segment)
        {
            x = layers.Norm("segment.norm", layers.Activate("Relu", layers.Linear("segment.linear", x)));
        }

        return layers.Linear("embedding", x);
    }

    private static string Ecapa(OnnxLayers layers, EncoderSpec spec, string features)
    {
        bool sslsv = spec.Variant == EncoderVariant.Sslsv;
        var padding = sslsv ? PaddingMode.Reflect : PaddingMode.Zero;
        string x = layers.Frame("stem", layers.Transpose(features, 0, 2, 1), 1, padding);
        string[] blocks = new string[3];
        for (int i = 0; i < blocks.Length; i++)
        {
            string name = $"blocks.{i}";
            string inner = layers.Frame($"{name}.enter", x, 1, PaddingMode.Valid);
            inner = layers.Res2($"{name}.res2", inner, spec.Scale, i + 2, padding, firstUntouched: sslsv);
            inner = layers.Frame($"{name}.leave", inner, 1, PaddingMode.Valid);
            blocks[i] = x = layers.Add(layers.Excite($"{name}.excite.reduce", $"{name}.excite.expand", inner, Time), x);
        }

        x = layers.Activate("Relu", layers.Conv("aggregation.conv", layers.Concat(blocks), 1, PaddingMode.Valid));
        x = sslsv ? layers.Norm("aggregation.norm", x) : x;
        return layers.Linear("embedding", layers.Norm("norm", layers.AttentivePool("pool", x, sslsv)));
    }

    private static string ResNet(OnnxLayers layers, EncoderSpec spec, string features)
    {
        string x = layers.Maps(layers.Transpose(features, 0, 2, 1));
        x = layers.Activate("Relu", layers.Norm("bn1", layers.Conv2d("conv1", x, strideHeight: 2)));
        for (int stage = 1; layers.Has($"layer{stage}.0.conv1"); stage++)
        {
            // The second and the third halve both axes.
            int stride = stage is 2 or 3 ? 2 : 1;
            for (int i = 0; layers.Has($"layer{stage}.{i}.conv1"); i++)
            {
                x = Block(layers, $"layer{stage}.{i}", x, i == 0 ? stride : 1);
            }
        }

        return layers.Linear("fc", spec.Pooling == EncoderPooling.Sap
            ? layers.SelfAttentivePool("sap_linear", "attention", x)
            : layers.Pool(layers.Rows(x, layers.Inputs("fc") / 2), unbiased: false, eps: 1e-5f, keepTime: false));
    }

    private static string Block(OnnxLayers layers, string name, string x, int stride)
    {
        string inner = layers.Norm(name + ".bn1", layers.Activate("Relu", layers.Conv2d(name + ".conv1", x, stride, stride)));
        inner = layers.Norm(name + ".bn2", layers.Conv2d(name + ".conv2", inner));
        inner = layers.Excite(name + ".se.fc.0", name + ".se.fc.2", inner, Area);
        string residual = layers.Has(name + ".downsample.0") ? layers.Norm(name + ".downsample.1", layers.Conv2d(name + ".downsample.0", x, stride, stride)) : x;
        return layers.Activate("Relu", layers.Add(inner, residual));
    }

    private static string Gru(OnnxLayers layers, EncoderSpec spec, string features)
    {
        string x = layers.Transpose(features, 1, 0, 2);
        for (int i = 0; i < spec.Layers; i++)
        {
            x = layers.Gru("gru", i, x);
        }

        return layers.Linear("embedding", layers.Pool(layers.Transpose(x, 1, 2, 0), unbiased: true, eps: 1e-7f, keepTime: false));
    }
}
