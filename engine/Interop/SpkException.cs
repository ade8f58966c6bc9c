namespace Spk.Interop;

/// <summary>
/// The root of every failure this library reports on purpose. The message is one sentence that names what failed
/// (file, field, tensor, device) and what to do about it.
/// </summary>
public class SpkException : Exception
{
    /// <summary>Creates the exception with a message fit for a user's eyes.</summary>
    /// <param name="message">One sentence: what failed, where, and the fix.</param>
    public SpkException(string message) : base(message) { }

    /// <summary>Creates the exception with its cause.</summary>
    /// <param name="message">One sentence: what failed, where, and the fix.</param>
    /// <param name="innerException">The failure underneath.</param>
    public SpkException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>Creates an exception without details; prefer the other constructors.</summary>
    public SpkException() { }
}

/// <summary>A requested device cannot be used. The message holds everything that was probed.</summary>
public sealed class DeviceUnavailableException : SpkException
{
    /// <inheritdoc cref="SpkException(string)"/>
    public DeviceUnavailableException(string message) : base(message) { }

    /// <inheritdoc cref="SpkException(string, Exception)"/>
    public DeviceUnavailableException(string message, Exception innerException) : base(message, innerException) { }

    /// <inheritdoc cref="SpkException()"/>
    public DeviceUnavailableException() { }
}

/// <summary>A file or a stream does not hold what its format promises (audio, manifest, checkpoint, matrix).</summary>
public sealed class DataFormatException : SpkException
{
    /// <inheritdoc cref="SpkException(string)"/>
    public DataFormatException(string message) : base(message) { }

    /// <inheritdoc cref="SpkException(string, Exception)"/>
    public DataFormatException(string message, Exception innerException) : base(message, innerException) { }

    /// <inheritdoc cref="SpkException()"/>
    public DataFormatException() { }
}

/// <summary>An option or a recipe field has a value outside what is allowed; the message names both.</summary>
public sealed class InvalidOptionException : SpkException
{
    /// <inheritdoc cref="SpkException(string)"/>
    public InvalidOptionException(string message) : base(message) { }

    /// <inheritdoc cref="SpkException(string, Exception)"/>
    public InvalidOptionException(string message, Exception innerException) : base(message, innerException) { }

    /// <inheritdoc cref="SpkException()"/>
    public InvalidOptionException() { }
}

/// <summary>A tensor has another shape than an operation needs; the message holds the wanted and the given shape.</summary>
public sealed class ShapeException : SpkException
{
    /// <inheritdoc cref="SpkException(string)"/>
    public ShapeException(string message) : base(message) { }

    /// <inheritdoc cref="SpkException(string, Exception)"/>
    public ShapeException(string message, Exception innerException) : base(message, innerException) { }

    /// <inheritdoc cref="SpkException()"/>
    public ShapeException() { }
}

/// <summary>A NaN or an infinity appeared where only finite numbers are allowed; the message names the place.</summary>
public sealed class NonFiniteException : SpkException
{
    /// <inheritdoc cref="SpkException(string)"/>
    public NonFiniteException(string message) : base(message) { }

    /// <inheritdoc cref="SpkException(string, Exception)"/>
    public NonFiniteException(string message, Exception innerException) : base(message, innerException) { }

    /// <inheritdoc cref="SpkException()"/>
    public NonFiniteException() { }
}

/// <summary>A device has too little memory left.</summary>
public sealed class OutOfDeviceMemoryException : SpkException
{
    /// <summary>Creates the exception.</summary>
    public OutOfDeviceMemoryException() { }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">How much was needed, what is free, what is held, and what to do.</param>
    public OutOfDeviceMemoryException(string message) : base(message) { }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">How much was needed, what is free, what is held, and what to do.</param>
    /// <param name="innerException">What the driver said.</param>
    public OutOfDeviceMemoryException(string message, Exception innerException) : base(message, innerException) { }
}
