using Spk.Interop;

namespace Spk.Engine.Verification;

/// <summary>A recording is too short, silent or clipped to tell a speaker by; the message says which. Ask for another one.</summary>
public sealed class UnusableAudioException : SpkException
{
    /// <inheritdoc cref="SpkException(string)"/>
    public UnusableAudioException(string message) : base(message) { }

    /// <inheritdoc cref="SpkException(string, Exception)"/>
    public UnusableAudioException(string message, Exception innerException) : base(message, innerException) { }

    /// <inheritdoc cref="SpkException()"/>
    public UnusableAudioException() { }
}
