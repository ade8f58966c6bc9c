namespace Spk.Engine.Devices;

/// <summary>What a device's memory is held for, in bytes.</summary>
/// <param name="Persistent">Parameters, optimizer state, tables.</param>
/// <param name="Reserved">Held for the tensors of a step.</param>
/// <param name="Used">Of that, handed out at the moment.</param>
/// <param name="Peak">Of that, the most ever handed out in one step.</param>
/// <param name="Free">What the device has left for everybody; null where it cannot say.</param>
public readonly record struct DeviceMemory(long Persistent, long Reserved, long Used, long Peak, long? Free)
{
    /// <summary>Everything held.</summary>
    public long Held => Persistent + Reserved;
}
