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
    private const int Dimensions = 3, Bf16 = 9, NoInterleaving = 0, SwizzleOf128Bytes = 3, PromoteTo128Bytes = 2, FillWithZeros = 0;

    private delegate* unmanaged<void*, int, uint, nint, ulong*, ulong*, uint*, uint*, int, int, int, int, int> _encodeTensorMap;

    /// <summary>Whether the driver describes tensors to the copy engine (since CUDA 12).</summary>
    public bool HasTensorMaps => _encodeTensorMap != null;

    /// <summary>Describes a bf16 tensor without gaps, [outer, rows, width], whose boxes go to shared memory with the 128-byte swizzle.</summary>
    /// <param name="address">On the device, a multiple of 16.</param>
    /// <param name="width">Elements of a row, a multiple of 8.</param>
    /// <param name="rows">Rows for each outer index.</param>
    /// <param name="outer">Outer indices.</param>
    /// <param name="boxWidth">Elements of a box's row, at most 64.</param>
    /// <param name="boxRows">Rows of a box, at most 256.</param>
    /// <returns>The description, for <see cref="KernelArgument.Structure"/>.</returns>
    /// <exception cref="CudaException">The driver refuses it.</exception>
    /// <exception cref="EntryPointNotFoundException">The driver has none: see <see cref="HasTensorMaps"/>.</exception>
    public TensorMap EncodeTensorMap(nint address, int width, int rows, int outer, int boxWidth, int boxRows)
    {
        if (_encodeTensorMap == null)
        {
            throw new EntryPointNotFoundException($"{Path} has no cuTensorMapEncodeTiled.");
        }

        const ulong elementBytes = sizeof(ushort);
        ulong* extents = stackalloc ulong[Dimensions] { (ulong)width, (ulong)rows, (ulong)outer };
        ulong* strides = stackalloc ulong[Dimensions - 1] { (ulong)width * elementBytes, (ulong)width * (ulong)rows * elementBytes };
        uint* box = stackalloc uint[Dimensions] { (uint)boxWidth, (uint)boxRows, 1 };
        uint* steps = stackalloc uint[Dimensions] { 1, 1, 1 };
        byte* room = stackalloc byte[sizeof(TensorMap) + TensorMap.Alignment];
        var map = (TensorMap*)(((nint)room + TensorMap.Alignment - 1) & -TensorMap.Alignment);
        Check(
            _encodeTensorMap(
                map, Bf16, Dimensions, address, extents, strides, box, steps, NoInterleaving, SwizzleOf128Bytes, PromoteTo128Bytes, FillWithZeros),
            "cuTensorMapEncodeTiled");
        return *map;
    }

    private void BindTensorMaps() => _encodeTensorMap =
        (delegate* unmanaged<void*, int, uint, nint, ulong*, ulong*, uint*, uint*, int, int, int, int, int>)OptionalExport("cuTensorMapEncodeTiled");
}
