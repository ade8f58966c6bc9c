namespace Spk.Interop.Cuda;

#pragma warning disable CA1711 // "Stream" is CUDA's word; nobody expects a System.IO.Stream here.
/// <summary>A queue of work on the device (CUstream). The default value is the driver's default stream.</summary>
/// <param name="Value">The driver's handle.</param>
public readonly record struct CudaStream(nint Value);
#pragma warning restore CA1711

/// <summary>A mark in a stream (CUevent).</summary>
/// <param name="Value">The driver's handle.</param>
public readonly record struct CudaEvent(nint Value);

/// <summary>A loaded binary of kernels (CUmodule).</summary>
/// <param name="Value">The driver's handle.</param>
public readonly record struct CudaModule(nint Value);

/// <summary>A kernel in a loaded module (CUfunction).</summary>
/// <param name="Value">The driver's handle.</param>
public readonly record struct CudaFunction(nint Value);

/// <summary>A recorded sequence of work (CUgraph).</summary>
/// <param name="Value">The driver's handle.</param>
public readonly record struct CudaGraph(nint Value);

/// <summary>A recorded sequence ready to be replayed (CUgraphExec).</summary>
/// <param name="Value">The driver's handle.</param>
public readonly record struct CudaGraphExec(nint Value);

/// <summary>A device's primary context (CUcontext).</summary>
/// <param name="Value">The driver's handle.</param>
public readonly record struct CudaContext(nint Value);
