namespace Spk.Interop.Cuda;

/// <summary>What NVRTC made of a source.</summary>
/// <param name="Cubin">The binary; empty for a virtual architecture (<c>compute_XX</c>).</param>
/// <param name="Ptx">PTX text that ends with a zero byte, as the driver loads it; empty where none was made.</param>
/// <param name="Log">Warnings and what options such as <c>--ptxas-options=-v</c> print; empty without any.</param>
public sealed record NvrtcOutput(ReadOnlyMemory<byte> Cubin, ReadOnlyMemory<byte> Ptx, string Log);
