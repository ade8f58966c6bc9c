using System.Runtime.InteropServices;

namespace Spk.Interop.Cuda;

/// <summary>What the copy engine of compute capability 9.0 is told of a tensor (CUtensorMap): 128 opaque bytes that a kernel takes by value.</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
public struct TensorMap
{
    /// <summary>Multiple of bytes that it has to be written at.</summary>
    public const int Alignment = 64;
}

public sealed unsafe partial class CudaDriver
{
    private const int MostDimensions = 5, Bf16 = 9, NoInterleaving = 0, SwizzleOf128Bytes = 3, PromoteTo128Bytes = 2, FillWithZeros = 0;

    private delegate* unmanaged<void*, int, uint, nint, ulong*, ulong*, uint*, uint*, int, int, int, int, int> _encodeTensorMap;

    /// <summary>Whether the driver describes tensors to the copy engine (since CUDA 12).</summary>
    public bool HasTensorMaps => _encodeTensorMap != null;

    /// <summary>Describes a bf16 tensor without gaps, whose boxes go to shared memory with the 128-byte swizzle.</summary>
    /// <param name="address">On the device, a multiple of 16.</param>
    /// <param name="extents">Elements along each of 1 to 5 dimensions, the innermost first; its are a multiple of 8.</param>
    /// <param name="box">Elements that a copy brings along each, at most 64 along the innermost; times their step at most 256.</param>
    /// <param name="steps">From one of these to the next along each, 1 to 8 and 1 along the innermost; empty for 1 along all.</param>
    /// <returns>The description, for <see cref="KernelArgument.Structure"/>.</returns>
    /// <exception cref="ArgumentException">The numbers of dimensions are not the same, or not 1 to 5.</exception>
    /// <exception cref="CudaException">The driver refuses it.</exception>
    /// <exception cref="EntryPointNotFoundException">The driver has none: see <see cref="HasTensorMaps"/>.</exception>
    public TensorMap EncodeTensorMap(nint address, ReadOnlySpan<int> extents, ReadOnlySpan<int> box, ReadOnlySpan<int> steps = default)
    {
        if (_encodeTensorMap == null)
        {
            throw new EntryPointNotFoundException($"{Path} has no cuTensorMapEncodeTiled.");
        }

        int rank = extents.Length;
        if (rank is < 1 or > MostDimensions || box.Length != rank || (!steps.IsEmpty && steps.Length != rank))
        {
            throw new ArgumentException($"A tensor map has 1 to {MostDimensions} dimensions; given {rank} extents, boxes of {box.Length} and steps of {steps.Length}.");
        }

        ulong* lengths = stackalloc ulong[MostDimensions], strides = stackalloc ulong[MostDimensions];
        uint* covered = stackalloc uint[MostDimensions], each = stackalloc uint[MostDimensions];
        ulong bytes = sizeof(ushort);
        for (int i = 0; i < rank; i++)
        {
            (lengths[i], each[i]) = ((ulong)extents[i], steps.IsEmpty ? 1 : (uint)steps[i]);
            covered[i] = (uint)box[i] * each[i];  // The driver counts what lies between elements too.
            strides[i] = bytes *= lengths[i];
        }

        byte* room = stackalloc byte[sizeof(TensorMap) + TensorMap.Alignment];
        var map = (TensorMap*)(((nint)room + TensorMap.Alignment - 1) & -TensorMap.Alignment);
        Check(
            _encodeTensorMap(
                map, Bf16, (uint)rank, address, lengths, strides, covered, each, NoInterleaving, SwizzleOf128Bytes, PromoteTo128Bytes, FillWithZeros),
            "cuTensorMapEncodeTiled");
        return *map;
    }

    private void BindTensorMaps() => _encodeTensorMap =
        (delegate* unmanaged<void*, int, uint, nint, ulong*, ulong*, uint*, uint*, int, int, int, int, int>)OptionalExport("cuTensorMapEncodeTiled");
}
