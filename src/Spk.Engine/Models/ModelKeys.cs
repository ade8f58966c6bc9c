namespace Spk.Engine.Models;

/// <summary>Metadata that model files and checkpoints share: what an encoder needs besides its weights.</summary>
internal static class ModelKeys
{
    public const string Format = "format";
    public const string FormatVersion = "format_version";
    public const string Version = "spk_version";
    public const string Features = "features";
    public const string Encoder = "encoder";

    public const string ModelFormat = "spk-model";
    public const string CheckpointFormat = "spk-checkpoint";

    /// <summary>The one version of both formats so far.</summary>
    public const string CurrentVersion = "1";

    /// <summary>Prefix of the encoder's tensors.</summary>
    public const string EncoderPrefix = "encoder.";

    /// <summary>Version of this library, without build suffix.</summary>
    public static string LibraryVersion { get; } = typeof(ModelKeys).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
