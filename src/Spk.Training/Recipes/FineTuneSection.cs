namespace Spk.Training.Recipes;

/// <summary>What training starts from, and what of it moves.</summary>
public sealed record FineTuneSection
{
    /// <summary>
    /// Run folder, checkpoint or model file whose encoder training starts with; null for random weights. Relative to the working directory.
    /// </summary>
    public string? Model { get; init; }

    /// <summary>Factor on the learning rate for the encoder; heads keep the schedule's own.</summary>
    public double EncoderRate { get; init; } = 1;

    /// <summary>
    /// Beginnings of the names of parameters that stay as they are, with commas between: "encoder." for the whole encoder. Frozen batch norms
    /// work with their running statistics, as in evaluation. Null for none.
    /// </summary>
    public string? Freeze { get; init; }

    /// <summary>The single names of <see cref="Freeze"/>.</summary>
    internal IReadOnlyList<string> FrozenNames => Freeze?.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries) ?? [];
}
