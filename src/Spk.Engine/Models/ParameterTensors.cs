using Spk.Engine.Autograd;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>Moves parameters between a <see cref="ParameterSet"/> and a safetensors file, by name and in file order.</summary>
public static class ParameterTensors
{
    /// <summary>Adds the parameters whose name starts with a prefix.</summary>
    /// <param name="content">What will be written.</param>
    /// <param name="parameters">Allocated parameters.</param>
    /// <param name="prefix">Start of the names; empty for all.</param>
    public static void Add(SafetensorsContent content, ParameterSet parameters, string prefix = "")
    {
        foreach (var parameter in parameters.All.Where(p => p.Name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            var values = new float[parameter.Shape.Count];
            parameter.ExportTo(values);
            content.Add<float>(parameter.Name, values, Lengths(parameter.FileShape));
        }
    }

    /// <summary>Sets the parameters whose name starts with a prefix from the file, after checking all of them.</summary>
    /// <param name="file">Where the values are.</param>
    /// <param name="parameters">Allocated parameters.</param>
    /// <param name="prefix">Tensors of the file with this prefix must be exactly the parameters with it.</param>
    /// <param name="wanted">What the parameters belong to, for messages: "the encoder of recipe.yaml".</param>
    /// <exception cref="DataFormatException">A tensor is missing, has another shape or does not belong; the message names the first.</exception>
    public static void Load(SafetensorsFile file, ParameterSet parameters, string prefix, string wanted)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var parameter in parameters.All.Where(p => p.Name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            known.Add(parameter.Name);
            string shape = parameter.FileShape.ToString();
            if (!file.Tensors.TryGetValue(parameter.Name, out var entry))
            {
                throw new DataFormatException($"{file.Path} has no tensor {parameter.Name} {shape}, which {wanted} needs: it belongs to another architecture.");
            }

            string found = $"[{string.Join(", ", entry.Shape)}]";
            if (found != shape)
            {
                throw new DataFormatException($"{file.Path}: tensor {parameter.Name} has shape {found} where {wanted} needs {shape}: it belongs to another architecture.");
            }
        }

        if (file.Tensors.Keys.Where(n => n.StartsWith(prefix, StringComparison.Ordinal) && !known.Contains(n)).Order(StringComparer.Ordinal).FirstOrDefault() is { } foreign)
        {
            throw new DataFormatException($"{file.Path} holds the tensor {foreign}, for which {wanted} has no place: it belongs to another architecture.");
        }

        foreach (var parameter in parameters.All.Where(p => known.Contains(p.Name)))
        {
            parameter.ImportFrom(file.ReadSingle(parameter.Name));
        }
    }

    private static int[] Lengths(Shape shape)
    {
        var lengths = new int[shape.Rank];
        for (int i = 0; i < lengths.Length; i++)
        {
            lengths[i] = shape[i];
        }

        return lengths;
    }
}
