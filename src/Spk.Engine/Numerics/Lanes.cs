using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Numerics;

/// <summary>Sizes of vectors, and tables for loops over them.</summary>
internal static unsafe class Lanes
{
    /// <summary>Floats of the widest vector.</summary>
    public const int Count = 16;

    /// <summary>Whether rows that go side by side are <see cref="SixteenLanes"/> on this processor, not <see cref="EightLanes"/>.</summary>
    public static bool Sixteen
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.IsHardwareAccelerated;
    }

    /// <summary>An array that stays at its address, for tables that unmanaged loop bodies point into.</summary>
    public static float[] Table(int count) => GC.AllocateArray<float>(count, pinned: true);

    /// <summary>The address of a <see cref="Table"/>; the caller keeps the array alive.</summary>
    public static T* Pointer<T>(T[] pinned) where T : unmanaged => (T*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));
}
