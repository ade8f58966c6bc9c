using System.Globalization;
using Spk.Engine.Encoders;
using Spk.Interop;

namespace Spk.Engine.Models.Interchange;

/// <summary>What the parameters of our encoders are called in the checkpoints of other toolkits; the table is in docs/interchange.md.</summary>
internal static class ForeignNames
{
    /// <summary>The other toolkit's name of a parameter.</summary>
    /// <param name="variant">The toolkit.</param>
    /// <param name="kind">tdnn, ecapa or resnet.</param>
    /// <param name="name">Our name, without the prefix of the encoder: <c>blocks.0.res2.3.norm.running_mean</c>.</param>
    public static string Of(EncoderVariant variant, string kind, string name)
    {
        int dot = name.LastIndexOf('.');
        return dot < 0 ? Layer(variant, kind, [name]) : Layer(variant, kind, name[..dot].Split('.')) + name[dot..];
    }

    private static string Layer(EncoderVariant variant, string kind, string[] parts) => (variant, kind, parts) switch
    {
        (EncoderVariant.Sslsv, "tdnn", ["frames", var i, "conv"]) => $"blocks.{i}.conv",
        (EncoderVariant.Sslsv, "tdnn", ["frames", var i, "norm"]) => $"blocks.{i}.bn",
        (EncoderVariant.Sslsv, "tdnn", ["embedding"]) => "last_fc",

        (EncoderVariant.Wespeaker, "tdnn", ["frames", var i, "conv"]) => $"frame_{Add(i, 1)}.conv_1d",
        (EncoderVariant.Wespeaker, "tdnn", ["frames", var i, "norm"]) => $"frame_{Add(i, 1)}.bn",
        (EncoderVariant.Wespeaker, "tdnn", ["segment", "linear"]) => "seg_1",
        (EncoderVariant.Wespeaker, "tdnn", ["segment", "norm"]) => "seg_bn_1",
        (EncoderVariant.Wespeaker, "tdnn", ["embedding"]) => "seg_2",

        (EncoderVariant.Sslsv, "ecapa", ["stem", var part]) => $"blocks.0.{Sslsv(part)}",
        (EncoderVariant.Sslsv, "ecapa", ["blocks", var i, "enter", var part]) => $"blocks.{Add(i, 1)}.tdnn1.{Sslsv(part)}",
        (EncoderVariant.Sslsv, "ecapa", ["blocks", var i, "leave", var part]) => $"blocks.{Add(i, 1)}.tdnn2.{Sslsv(part)}",
        (EncoderVariant.Sslsv, "ecapa", ["blocks", var i, "res2", var j, var part]) => $"blocks.{Add(i, 1)}.res2net_block.blocks.{j}.{Sslsv(part)}",
        (EncoderVariant.Sslsv, "ecapa", ["blocks", var i, "excite", "reduce"]) => $"blocks.{Add(i, 1)}.se_block.conv1.conv",
        (EncoderVariant.Sslsv, "ecapa", ["blocks", var i, "excite", "expand"]) => $"blocks.{Add(i, 1)}.se_block.conv2.conv",
        (EncoderVariant.Sslsv, "ecapa", ["aggregation", var part]) => $"mfa.{Sslsv(part)}",
        (EncoderVariant.Sslsv, "ecapa", ["pool", "context"]) => "asp.tdnn.conv.conv",
        (EncoderVariant.Sslsv, "ecapa", ["pool", "norm"]) => "asp.tdnn.norm",
        (EncoderVariant.Sslsv, "ecapa", ["pool", "score"]) => "asp.conv.conv",
        (EncoderVariant.Sslsv, "ecapa", ["norm"]) => "asp_bn",
        (EncoderVariant.Sslsv, "ecapa", ["embedding"]) => "fc.conv",

        (EncoderVariant.Wespeaker, "ecapa", ["stem", var part]) => $"layer1.{Wespeaker(part)}",
        (EncoderVariant.Wespeaker, "ecapa", ["blocks", var i, "enter", var part]) => $"layer{Add(i, 2)}.se_res2block.0.{Wespeaker(part)}",
        (EncoderVariant.Wespeaker, "ecapa", ["blocks", var i, "leave", var part]) => $"layer{Add(i, 2)}.se_res2block.2.{Wespeaker(part)}",
        (EncoderVariant.Wespeaker, "ecapa", ["blocks", var i, "res2", var j, var part]) => $"layer{Add(i, 2)}.se_res2block.1.{Wespeaker(part)}s.{j}",
        (EncoderVariant.Wespeaker, "ecapa", ["blocks", var i, "excite", "reduce"]) => $"layer{Add(i, 2)}.se_res2block.3.linear1",
        (EncoderVariant.Wespeaker, "ecapa", ["blocks", var i, "excite", "expand"]) => $"layer{Add(i, 2)}.se_res2block.3.linear2",
        (EncoderVariant.Wespeaker, "ecapa", ["aggregation", "conv"]) => "conv",
        (EncoderVariant.Wespeaker, "ecapa", ["pool", "context"]) => "pool.linear1",
        (EncoderVariant.Wespeaker, "ecapa", ["pool", "score"]) => "pool.linear2",
        (EncoderVariant.Wespeaker, "ecapa", ["norm"]) => "bn",
        (EncoderVariant.Wespeaker, "ecapa", ["embedding"]) => "linear",

        (EncoderVariant.Sslsv, "resnet", [("conv1" or "bn1") and var first]) => first[..^1],
        (EncoderVariant.Sslsv, "resnet", [var stage, .. var rest]) when stage.StartsWith("layer", StringComparison.Ordinal) => $"block{stage[5..]}.{string.Join('.', rest)}",
        (EncoderVariant.Sslsv, "resnet", [("sap_linear" or "attention") and var pool]) => $"pooling.{pool}",
        (EncoderVariant.Sslsv, "resnet", ["fc"]) => "fc",
        _ => throw new InvalidOptionException($"{variant} has no layer for {string.Join('.', parts)} of {kind}: only tdnn, ecapa and the resnet of sslsv can be imported."),
    };

    // sslsv wraps every padded convolution in a module of its own.
    private static string Sslsv(string part) => part == "conv" ? "conv.conv" : part;

    private static string Wespeaker(string part) => part == "norm" ? "bn" : part;

    private static string Add(string index, int offset) => (int.Parse(index, CultureInfo.InvariantCulture) + offset).ToString(CultureInfo.InvariantCulture);
}
