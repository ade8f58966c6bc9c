namespace Spk.Engine.Models;

/// <summary>Metadata that model files and checkpoints share: what an encoder needs besides its weights.</summary>
public static class ModelKeys
{
    /// <summary>What kind of file it is: <see cref="ModelFormat"/> or <see cref="CheckpointFormat"/>.</summary>
    public const string Format = "format";

    /// <summary>Version of the format.</summary>
    public const string FormatVersion = "format_version";

    /// <summary>Version of the library that wrote it.</summary>
    public const string Version = "spk_version";

    /// <summary>Feature definition, JSON.</summary>
    public const string Features = "features";

    /// <summary>Encoder definition, JSON.</summary>
    public const string Encoder = "encoder";

    /// <summary>An encoder for inference.</summary>
    public const string ModelFormat = "spk-model";

    /// <summary>A training run at one step.</summary>
    public const string CheckpointFormat = "spk-checkpoint";

    /// <summary>The one version of both formats so far.</summary>
    public const string CurrentVersion = "1";

    /// <summary>Prefix of the encoder's tensors.</summary>
    public const string EncoderPrefix = "encoder.";

    /// <summary>Version of this library, without build suffix.</summary>
    public static string LibraryVersion { get; } = typeof(ModelKeys).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
