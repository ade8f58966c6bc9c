using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Optimization;

namespace Spk.Training.Checkpoints;

/// <summary>Writes and reads the checkpoints of one run folder: latest, the one before it, and the best.</summary>
internal sealed class CheckpointStore(RunFolder folder, ParameterSet parameters, Optimizer optimizer, FeatureSpec features, EncoderSpec encoder)
{
    private const string OptimizerPrefix = "optimizer.";

    /// <summary>
    /// Writes latest.safetensors; what it was becomes previous.safetensors. Whatever fails, at least one whole checkpoint stays.
    /// </summary>
    public void Save(CheckpointState state, bool isBest)
    {
        FiniteGuard.CheckParameters(parameters, state.Step);
        var content = Content(state);
        string next = Path.Combine(folder.Checkpoints, "next.safetensors");
        SafetensorsFile.Write(next, content);
        try
        {
            if (File.Exists(folder.Latest))
            {
                File.Move(folder.Latest, folder.Previous, overwrite: true);
            }

            File.Move(next, folder.Latest, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SpkException($"Cannot replace {folder.Latest}: {e.Message} The new checkpoint is {next}.", e);
        }

        if (isBest)
        {
            SafetensorsFile.Write(folder.Best, content);
        }
    }

    /// <summary>Restores parameters and optimizer from a checkpoint of the same architecture.</summary>
    public void Restore(SafetensorsFile file, CheckpointState state)
    {
        RequireSame(file, ModelKeys.Features, features.ToJson());
        RequireSame(file, ModelKeys.Encoder, encoder.ToJson());
        foreach (string prefix in new[] { ModelKeys.EncoderPrefix, Objectives.Objective.Prefix })
        {
            ParameterTensors.Load(file, parameters, prefix, "the recipe");
        }

        foreach (var part in optimizer.States)
        {
            var values = new float[part.Value.Count];
            file.Read(OptimizerPrefix + part.Name, values);
            part.Value.CopyFrom(values);
        }

        optimizer.StepCount = state.OptimizerSteps;
    }

    private SafetensorsContent Content(CheckpointState state)
    {
        var content = new SafetensorsContent();
        content.Metadata[ModelKeys.Format] = ModelKeys.CheckpointFormat;
        content.Metadata[ModelKeys.FormatVersion] = ModelKeys.CurrentVersion;
        content.Metadata[ModelKeys.Version] = ModelKeys.LibraryVersion;
        content.Metadata[ModelKeys.Features] = features.ToJson();
        content.Metadata[ModelKeys.Encoder] = encoder.ToJson();
        state.WriteTo(content.Metadata);
        ParameterTensors.Add(content, parameters);
        foreach (var part in optimizer.States)
        {
            var values = new float[part.Value.Count];
            part.Value.CopyTo(values);
            content.Add<float>(OptimizerPrefix + part.Name, values, values.Length);
        }

        return content;
    }

    // Names the first field that differs between two flat JSON objects.
    private static void RequireSame(SafetensorsFile file, string key, string wanted)
    {
        string found = file.Metadata.GetValueOrDefault(key, "{}");
        if (found == wanted)
        {
            return;
        }

        using var before = System.Text.Json.JsonDocument.Parse(found);
        using var after = System.Text.Json.JsonDocument.Parse(wanted);
        foreach (var field in after.RootElement.EnumerateObject())
        {
            string saved = before.RootElement.TryGetProperty(field.Name, out var value) ? value.ToString() : "nothing";
            if (saved != field.Value.ToString())
            {
                throw new DataFormatException($"{file.Path} was trained with {key}.{field.Name} = {saved}, the recipe says {field.Value}: it belongs to another architecture.");
            }
        }

        throw new DataFormatException($"{file.Path} was trained with other {key} than the recipe's: it belongs to another architecture.");
    }
}
