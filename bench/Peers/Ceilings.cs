using Spk.Engine.Devices;

namespace Spk.Bench.Peers;

/// <summary>What a GPU can move and multiply at most, so that a time becomes a share of the possible.</summary>
/// <param name="BytesPerSecond">Copy bandwidth.</param>
/// <param name="Fp32">Multiply-adds of f32 outside the tensor cores, operations per second.</param>
/// <param name="Tf32">Tensor cores on tf32.</param>
/// <param name="Bf16">Tensor cores on bf16.</param>
internal sealed record Ceilings(double BytesPerSecond, double Fp32, double Tf32, double Bf16)
{
    /// <summary>Those of a known model (what long copies and large products reach there, not the data sheet); null for others.</summary>
    public static Ceilings? Of(Device device) =>
        device.Name.Contains("H200", StringComparison.Ordinal) ? new(4.3e12, 67e12, 395e12, 790e12)
        : device.Name.Contains("H100", StringComparison.Ordinal) ? new(2.9e12, 67e12, 395e12, 790e12)
        : null;

    /// <summary>The least time in seconds.</summary>
    public double Bound(double bytes, double operations, Precision precision) =>
        Math.Max(bytes / BytesPerSecond, operations / (precision switch { Precision.Tf32 => Tf32, Precision.Bf16 => Bf16, _ => Fp32 }));
}
