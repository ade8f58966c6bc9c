using System.Runtime.CompilerServices;

namespace Spk.Interop.Nccl;

/// <summary>The identity of a group of processes (ncclUniqueId): 128 bytes that mean nothing to anybody else.</summary>
[InlineArray(128)]
public struct NcclUniqueId
{
    private byte _first;
}
