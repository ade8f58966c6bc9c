using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Interop;

namespace Spk.Engine.Models.Interchange;

/// <summary>
/// Weights of sslsv or wespeaker, converted to safetensors with the names they have there. What the toolkit's classifiers and projectors
/// are is left behind; every parameter of the encoder must be there.
/// </summary>
public static class ForeignCheckpoint
{
    // What state dictionaries of wrapped modules begin with.
    private static readonly string[] Prefixes = ["module.", "model.", "encoder."];

    // Parts of a training that an encoder does without, and PyTorch's count of batches.
    private static readonly string[] Ignored = ["projection.", "projector.", "classifier.", "loss_fn.", "features_extractor.", "spk2utt."];

    /// <summary>Reads an encoder.</summary>
    /// <param name="path">A safetensors file with the toolkit's own names.</param>
    /// <param name="variant">The toolkit.</param>
    /// <param name="kind"><c>tdnn</c>, <c>ecapa</c> or, of sslsv, <c>resnet</c>; sizes are taken from the tensors.</param>
    /// <param name="features">What the weights were trained on; null for the toolkit's usual features of as many bands.</param>
    /// <param name="device">Where the model will run.</param>
    /// <returns>The model; <see cref="SpeakerModel.Save"/> makes a model file of it.</returns>
    /// <exception cref="DataFormatException">A tensor is missing, has another shape or is unknown; the message names it by the toolkit's name.</exception>
    /// <exception cref="InvalidOptionException">The toolkit has no such kind, or the features have another number of bands.</exception>
    public static SpeakerModel Import(string path, EncoderVariant variant, string kind, FeatureSpec? features, Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (kind is not ("tdnn" or "ecapa" or "resnet"))
        {
            throw new InvalidOptionException($"encoder '{kind}' cannot be imported: allowed are tdnn, ecapa and resnet.");
        }

        if (kind == "resnet" && variant != EncoderVariant.Sslsv)
        {
            throw new InvalidOptionException("the ResNet of wespeaker is another network than Fast ResNet-34 and cannot be imported: import its tdnn or ecapa.");
        }

        using var file = SafetensorsFile.Open(path);
        var tensors = Strip(file);
        var spec = Infer(file.Path, tensors, variant, kind, features);
        features ??= Usual(variant, spec.Bins);
        if (features.Bins != spec.Bins)
        {
            throw new InvalidOptionException($"{path} takes {spec.Bins} mel bands, the features given have {features.Bins}: name features of {spec.Bins} bands.");
        }

        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters, ModelKeys.EncoderPrefix);
        parameters.Allocate(0, gradients: false);
        foreach (var parameter in parameters.All)
        {
            string name = ForeignNames.Of(variant, kind, parameter.Name[ModelKeys.EncoderPrefix.Length..]);
            var entry = Find(file.Path, tensors, name);
            if (!SameShape(entry.Shape, parameter.FileShape))
            {
                throw new DataFormatException($"{file.Path}: tensor {name} has shape [{string.Join(", ", entry.Shape)}] where an encoder of its other sizes needs {parameter.FileShape}.");
            }

            parameter.ImportFrom(file.ReadSingle(entry.Name));
            tensors.Remove(name);
        }

        return tensors.Keys.Order(StringComparer.Ordinal).FirstOrDefault() is { } foreign
            ? throw new DataFormatException($"{file.Path} holds the tensor {foreign}, for which {kind} of {Name(variant)} has no place: it is another architecture or another version.")
            : new SpeakerModel(new FeatureExtractor(device, features), encoder, parameters);
    }

    private static Dictionary<string, SafetensorsEntry> Strip(SafetensorsFile file)
    {
        var tensors = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        foreach (var (name, entry) in file.Tensors)
        {
            string bare = name;
            while (Prefixes.FirstOrDefault(p => bare.StartsWith(p, StringComparison.Ordinal)) is { } prefix)
            {
                bare = bare[prefix.Length..];
            }

            if (!bare.EndsWith("num_batches_tracked", StringComparison.Ordinal) && !Ignored.Any(p => bare.StartsWith(p, StringComparison.Ordinal)))
            {
                tensors[bare] = entry;
            }
        }

        return tensors;
    }

    private static EncoderSpec Infer(string path, Dictionary<string, SafetensorsEntry> tensors, EncoderVariant variant, string kind, FeatureSpec? features)
    {
        var spec = new EncoderSpec { Kind = kind, Variant = variant };
        if (kind == "tdnn")
        {
            var first = Weight("frames.0.conv", 3);
            spec = spec with
            {
                Width = first[0],
                Bins = first[1],
                LastWidth = Weight("frames.4.conv", 3)[0],
                Segment = variant == EncoderVariant.Wespeaker,
            };
        }
        else if (kind == "resnet")
        {
            // A mean over frequency fits any number of bands; statistics of every row of the last map, an eighth as many, do not.
            int width = Weight("conv1", 4)[0];
            bool attentive = tensors.ContainsKey(ForeignNames.Of(variant, kind, "attention"));
            int rows = attentive ? 0 : Weight("fc", 2)[1] / (2 * 8 * width), bands = features?.Bins ?? (attentive ? 40 : 8 * rows);
            spec = spec with
            {
                Width = width,
                Bins = attentive || (bands + 7) / 8 == rows ? bands : 8 * rows,
                Pooling = attentive ? EncoderPooling.Sap : EncoderPooling.Stats,
            };
        }
        else
        {
            var first = Weight("stem.conv", 3);
            int groups = 0;
            while (tensors.ContainsKey(Foreign($"blocks.0.res2.{groups}.conv")))
            {
                groups++;
            }

            spec = spec with
            {
                Width = first[0],
                Bins = first[1],
                Scale = groups + 1,
                LastWidth = Weight("aggregation.conv", 3)[0],
                Bottleneck = Weight("pool.context", 3)[0],
            };
        }

        spec = spec with { EmbeddingSize = Weight(kind == "resnet" ? "fc" : "embedding", 0)[0] };
        try
        {
            spec.Validate();
        }
        catch (InvalidOptionException error)
        {
            throw new DataFormatException($"{path} is no {kind} of {Name(variant)}: {error.Message}", error);
        }

        return spec;

        string Foreign(string layer) => ForeignNames.Of(variant, kind, layer + ".weight");

        int[] Weight(string layer, int axes)
        {
            string name = Foreign(layer);
            var entry = Find(path, tensors, name);
            return entry.Shape.Count > 0 && (axes == 0 || entry.Shape.Count == axes)
                ? [.. entry.Shape.Select(length => checked((int)length))]
                : throw new DataFormatException($"{path}: tensor {name} has {entry.Shape.Count} axes, a {kind} of {Name(variant)} has {axes} there.");
        }
    }

    private static SafetensorsEntry Find(string path, Dictionary<string, SafetensorsEntry> tensors, string name) =>
        tensors.TryGetValue(name, out var entry)
            ? entry
            : throw new DataFormatException($"{path} has no tensor {name}: it belongs to another architecture or another version of the toolkit.");

    // A 1×1 convolution is a linear map with an axis more.
    private static bool SameShape(IReadOnlyList<long> found, Tensors.Shape wanted)
    {
        int axes = found.Count;
        while (axes > wanted.Rank && found[axes - 1] == 1)
        {
            axes--;
        }

        return axes == wanted.Rank && Enumerable.Range(0, axes).All(i => found[i] == wanted[i]);
    }

    private static FeatureSpec Usual(EncoderVariant variant, int bins) => (variant, bins) switch
    {
        (EncoderVariant.Sslsv, 40) => FeatureSpec.TorchaudioMel40,
        (EncoderVariant.Sslsv, 80) => FeatureSpec.TorchaudioMel80,
        (EncoderVariant.Wespeaker, 40) => FeatureSpec.KaldiFbank40,
        (EncoderVariant.Wespeaker, 80) => FeatureSpec.KaldiFbank80,
        _ => throw new InvalidOptionException($"{Name(variant)} has no usual features of {bins} bands: name them."),
    };

    private static string Name(EncoderVariant variant) => variant == EncoderVariant.Sslsv ? "sslsv" : "wespeaker";
}
