namespace Spk.Interop.Cuda;

/// <summary>A call into the CUDA driver, NVRTC or cuBLAS failed.</summary>
public sealed class CudaException : SpkException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="library">"CUDA driver", "NVRTC" or "cuBLAS".</param>
    /// <param name="call">The function that failed, with the kernel's name for a launch.</param>
    /// <param name="code">Its status.</param>
    /// <param name="name">Symbolic name of the status, such as CUDA_ERROR_OUT_OF_MEMORY.</param>
    /// <param name="text">The library's explanation.</param>
    public CudaException(string library, string call, int code, string name, string text)
        : base($"{library}: {call} failed with {name} ({code}): {text}.")
    {
        Library = library;
        Call = call;
        Code = code;
        Name = name;
    }

    /// <inheritdoc cref="SpkException(string)"/>
    public CudaException(string message) : base(message) { }

    /// <inheritdoc cref="SpkException(string, Exception)"/>
    public CudaException(string message, Exception innerException) : base(message, innerException) { }

    /// <inheritdoc cref="SpkException()"/>
    public CudaException() { }

    /// <summary>"CUDA driver", "NVRTC" or "cuBLAS".</summary>
    public string Library { get; } = "";

    /// <summary>The function that failed.</summary>
    public string Call { get; } = "";

    /// <summary>Its status.</summary>
    public int Code { get; }

    /// <summary>Symbolic name of the status.</summary>
    public string Name { get; } = "";
}
