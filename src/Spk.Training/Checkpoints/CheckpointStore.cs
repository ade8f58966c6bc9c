using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Objectives;
using Spk.Training.Optimization;

namespace Spk.Training.Checkpoints;

/// <summary>Writes and reads the checkpoints of one run folder: latest, the one before it, and the best.</summary>
internal sealed class CheckpointStore(RunFolder folder, Objective objective, Optimizer optimizer, FeatureSpec features, EncoderSpec encoder)
{
    private const string OptimizerPrefix = "optimizer.";

    /// <summary>
    /// Writes latest.safetensors; what it was becomes previous.safetensors. Whatever fails, at least one whole checkpoint stays.
    /// </summary>
    public void Save(CheckpointState state, bool isBest)
    {
        FiniteGuard.CheckParameters(objective.Parameters, state.Step);
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
        foreach (var parameters in ParameterSets())
        {
            foreach (string prefix in parameters.All.Select(p => p.Name[..(p.Name.IndexOf('.', StringComparison.Ordinal) + 1)]).Distinct())
            {
                ParameterTensors.Load(file, parameters, prefix, prefix == ModelKeys.EncoderPrefix ? "the recipe's encoder" : "the recipe's objective");
            }
        }

        objective.VisitState(new StateReader(file), state.Step);
        foreach (var part in optimizer.States)
        {
            var values = new float[part.Value.Count];
            file.Read(OptimizerPrefix + part.Name, values);
            part.Value.CopyFrom(values);
        }

        optimizer.StepCount = state.OptimizerSteps;
    }

    private IEnumerable<ParameterSet> ParameterSets()
    {
        yield return objective.Parameters;
        if (objective.MomentumParameters is { } momentum)
        {
            yield return momentum;
        }
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
        foreach (var parameters in ParameterSets())
        {
            ParameterTensors.Add(content, parameters);
        }

        objective.VisitState(new StateWriter(content), state.Step);
        foreach (var part in optimizer.States)
        {
            var values = new float[part.Value.Count];
            part.Value.CopyTo(values);
            content.Add<float>(OptimizerPrefix + part.Name, values, values.Length);
        }

        return content;
    }
}
