using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Recipes;

namespace Spk.Training;

/// <summary>Trains a pretrained encoder further, on few labelled speakers (methods.md 10.5).</summary>
public static class FineTuning
{
    /// <summary>A recipe that trains a model's encoder: features and encoder become the model's.</summary>
    /// <param name="recipe">Data, objective, optimizer and schedule; what it says of features and encoder is replaced.</param>
    /// <param name="model">Run folder, checkpoint or model file.</param>
    /// <param name="fromScratch">Takes over only the architecture, with random weights that all train at the full rate: the baseline.</param>
    /// <returns>The recipe.</returns>
    /// <exception cref="DataFormatException">The model is missing or damaged.</exception>
    /// <exception cref="InvalidOptionException">The recipe does not fit the model.</exception>
    public static Recipe Of(Recipe recipe, string model, bool fromScratch = false)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        using var device = new CpuDevice(1);
        var pretrained = SpeakerModel.Load(model, device);
        var tuned = recipe with
        {
            Features = recipe.Features with { Spec = pretrained.Features },
            Encoder = pretrained.Encoder.Spec,
            FineTune = fromScratch ? new FineTuneSection() : recipe.FineTune with { Model = Path.GetFullPath(model) },
        };
        tuned.Validate();
        return tuned;
    }

    /// <summary>The same for a model that may not be there yet.</summary>
    /// <param name="recipe">Data, objective, optimizer and schedule.</param>
    /// <param name="pretraining">The recipe that the model is trained by.</param>
    /// <param name="model">Its run folder.</param>
    internal static Recipe Of(Recipe recipe, Recipe pretraining, string model)
    {
        var tuned = recipe with { Features = pretraining.Features, Encoder = pretraining.Encoder, FineTune = recipe.FineTune with { Model = model } };
        tuned.Validate();
        return tuned;
    }

    /// <summary>Puts the weights of a pretrained encoder in the place of the random ones.</summary>
    internal static void Load(string model, ParameterSet parameters)
    {
        using var file = SafetensorsFile.Open(SpeakerModel.Resolve(model));
        ParameterTensors.Load(file, parameters, ModelKeys.EncoderPrefix, "the recipe's encoder");
    }

    /// <summary>Freezes what the recipe names, and finds the factor on the learning rate of each parameter; 0 for frozen ones.</summary>
    /// <exception cref="InvalidOptionException">A name to freeze begins no parameter's, or all are frozen.</exception>
    internal static Func<Parameter, double> Freeze(FineTuneSection section, ParameterSet parameters)
    {
        var frozen = section.FrozenNames;
        if (frozen.FirstOrDefault(name => !parameters.Trainable.Any(p => Begins(p, name))) is { } unknown)
        {
            string layers = string.Join(", ", parameters.Trainable.Select(p => Layer(p.Name)).Distinct());
            throw new InvalidOptionException($"finetune.freeze = {unknown}: no parameter's name begins so; there are {layers}.");
        }

        foreach (var parameter in parameters.All)
        {
            parameter.IsFrozen = frozen.Any(name => Begins(parameter, name));
        }

        return parameters.Trainable.All(p => p.IsFrozen)
            ? throw new InvalidOptionException($"finetune.freeze = {section.Freeze}: nothing is left to train; leave out some layer.")
            : p => p.IsFrozen ? 0 : Begins(p, ModelKeys.EncoderPrefix) ? section.EncoderRate : 1;
    }

    // Whole words of a dotted name: frames.1 is no beginning of frames.10.
    private static bool Begins(Parameter parameter, string name)
    {
        string bare = name.TrimEnd('.');
        return parameter.Name.StartsWith(bare, StringComparison.Ordinal) && (parameter.Name.Length == bare.Length || parameter.Name[bare.Length] == '.');
    }

    private static string Layer(string name)
    {
        string[] words = name.Split('.');
        return string.Join('.', words[..Math.Clamp(words.Length - 1, 1, 3)]);
    }
}
