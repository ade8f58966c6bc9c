using System.Globalization;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Engine.Alignment;

/// <content>
/// The file, safetensors: for each side that is mapped <c>SIDE.skip.weight</c> [S, D], <c>SIDE.bias</c> [S] and, with a hidden layer,
/// <c>SIDE.hidden.weight</c> [H, D], <c>SIDE.hidden.bias</c> [H], <c>SIDE.output.weight</c> [S, H], where SIDE is enrolment or runtime; in its
/// metadata the variant, and identity and size of both models; a checksum over all.
/// </content>
public sealed partial class Aligner
{
    private const string FileFormat = "spk-aligner", FileVersion = "1";
    private const string VariantKey = "variant", ModelKey = "_model", SizeKey = "_size", EnrolmentSide = "enrolment", RuntimeSide = "runtime";

    /// <summary>Writes the aligner, all or nothing; equal aligners give equal bytes.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public void Save(string path)
    {
        var content = new SafetensorsContent();
        content.Metadata[ModelKeys.Format] = FileFormat;
        content.Metadata[ModelKeys.FormatVersion] = FileVersion;
        content.Metadata[ModelKeys.Version] = ModelKeys.LibraryVersion;
        content.Metadata[VariantKey] = Variant.ToString();
        Add(EnrolmentSide, Enrolment, _enrolmentMap);
        Add(RuntimeSide, Runtime, _runtimeMap);
        SafetensorsFile.Write(path, content);

        void Add(string side, AlignedModel model, AlignmentMap? map)
        {
            content.Metadata[side + ModelKey] = model.Identity;
            content.Metadata[side + SizeKey] = model.EmbeddingSize.ToString(CultureInfo.InvariantCulture);
            if (map is null)
            {
                return;
            }

            content.Add(side + ".skip.weight", map.Skip, map.Outputs, map.Inputs);
            content.Add(side + ".bias", map.Bias, map.Outputs);
            if (map.Hidden > 0)
            {
                content.Add(side + ".hidden.weight", map.HiddenWeight, map.Hidden, map.Inputs);
                content.Add(side + ".hidden.bias", map.HiddenBias, map.Hidden);
                content.Add(side + ".output.weight", map.OutputWeight, map.Outputs, map.Hidden);
            }
        }
    }

    /// <summary>Reads an aligner.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote.</param>
    /// <returns>The aligner.</returns>
    /// <exception cref="DataFormatException">The file is missing, damaged or no aligner; the message says which.</exception>
    public static Aligner Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = SafetensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault(ModelKeys.Format) != FileFormat)
        {
            throw new DataFormatException($"{path} is no aligner: name a file that 'spk align train' wrote.");
        }

        if (file.Metadata.GetValueOrDefault(ModelKeys.FormatVersion) is var version && version != FileVersion)
        {
            throw new DataFormatException($"{path} is an aligner of version {version}, this library reads version {FileVersion}: use the library that wrote it.");
        }

        if (!Enum.TryParse<AlignmentVariant>(file.Metadata.GetValueOrDefault(VariantKey), out var variant) || !Enum.IsDefined(variant))
        {
            throw Damaged("it names no variant that is known");
        }

        try
        {
            return new Aligner(variant, Model(EnrolmentSide), Model(RuntimeSide), Map(EnrolmentSide), Map(RuntimeSide));
        }
        catch (Exception error) when (error is ShapeException or NonFiniteException)
        {
            throw new DataFormatException($"{path} is damaged: {error.Message.TrimEnd('.')}; train the aligner again.", error);
        }

        AlignedModel Model(string side) =>
            file.Metadata.TryGetValue(side + ModelKey, out string? identity) && identity.Length > 0
                && int.TryParse(file.Metadata.GetValueOrDefault(side + SizeKey), NumberStyles.None, CultureInfo.InvariantCulture, out int size)
                ? new AlignedModel(identity, size)
                : throw Damaged($"it does not name its {side} model");

        AlignmentMap? Map(string side)
        {
            if (!file.Tensors.Keys.Any(name => name.StartsWith(side + ".", StringComparison.Ordinal)))
            {
                return null;
            }

            bool perceptron = file.Tensors.ContainsKey(side + ".hidden.bias");
            return file.Tensors.TryGetValue(side + ".skip.weight", out var skip) && skip.Shape.Count == 2
                ? new AlignmentMap((int)skip.Shape[1], file.ReadSingle(side + ".skip.weight"), file.ReadSingle(side + ".bias"), Hidden("hidden.weight"), Hidden("hidden.bias"), Hidden("output.weight"))
                : throw Damaged($"it lacks the tensor '{side}.skip.weight' of 2 axes");

            float[] Hidden(string name) => perceptron ? file.ReadSingle($"{side}.{name}") : [];
        }

        DataFormatException Damaged(string what) => new($"{path} is damaged: {what}; train the aligner again.");
    }
}
