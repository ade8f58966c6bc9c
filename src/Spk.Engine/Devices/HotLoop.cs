using System.Runtime.CompilerServices;

namespace Spk.Engine.Devices;

/// <summary>
/// How the methods that hold a long loop over vectors are compiled: <c>[MethodImpl(HotLoop.Options)]</c>. Where a processor has vectors of 256 bits, a Vector512 is a
/// struct of two, and its operations are methods that the compiler may or may not inline. It does not when the loop was inlined into a small method, whose budget
/// for inlining is small, nor in branches that a profile taken during the first calls has not seen: each operation then is a call, and the loop takes up to ten times
/// as long. So such a method is compiled by itself, at once and without a profile.
/// </summary>
internal static class HotLoop
{
    /// <summary>Never inlined, optimized from the first call.</summary>
    public const MethodImplOptions Options = MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization;
}
