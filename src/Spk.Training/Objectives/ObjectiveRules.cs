using Spk.Interop;

namespace Spk.Training.Objectives;

/// <summary>What several objectives ask of their batches and corpus.</summary>
internal static class ObjectiveRules
{
    public static void RequireTwoViews(ObjectiveSpec spec, ObjectiveContext context)
    {
        if (context.Views != 2)
        {
            throw new InvalidOptionException($"data.views = {context.Views}: objective.kind {Word(spec.Kind)} needs 2.");
        }
    }

    public static void RequireSpeakersForMask(ObjectiveSpec spec, ObjectiveContext context)
    {
        if (spec.OracleMask && context.Speakers == 0)
        {
            throw new InvalidOptionException("objective.oracleMask = true: the training manifest names no speakers; add a speaker column or set it to false.");
        }
    }

    /// <summary>A choice as recipes write it.</summary>
    public static string Word<T>(T choice) where T : struct, Enum
    {
        string name = choice.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
