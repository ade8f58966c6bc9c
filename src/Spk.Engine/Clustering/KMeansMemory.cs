using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>
/// Tensors of one call. On the CPU, host memory is used where it lies; elsewhere it is copied to the device and back. What is
/// rented goes back to the device's workspace at the end, so a caller's own tensors there stay valid.
/// </summary>
internal readonly unsafe struct KMeansMemory(Device device)
{
    private readonly WorkspacePosition _start = device.Workspace.Position;

    public Device Device { get; } = device;

    private bool IsHost => Device is CpuDevice;

    /// <summary>A tensor over (or with the contents of) host floats, which must stay where they are.</summary>
    public Tensor Input(float* host, Shape shape)
    {
        var tensor = Output(host, shape, ElementType.Float32);
        if (!IsHost)
        {
            Device.CopyRowsFromHost(host, tensor);
        }

        return tensor;
    }

    /// <summary>A tensor over host memory, or one whose contents <see cref="Fetch"/> copies there.</summary>
    public Tensor Output(void* host, Shape shape, ElementType type)
    {
        if (!IsHost)
        {
            return Device.Workspace.Rent(shape, type);
        }

        var tensor = new Tensor();
        tensor.Reset(Device, (nint)host, shape, type);
        return tensor;
    }

    /// <summary>Brings host memory up to date with its tensor.</summary>
    public void Fetch(Tensor tensor, void* host)
    {
        if (!IsHost)
        {
            Device.CopyRowsToHost(tensor, host);
        }
    }

    /// <summary>Brings a tensor up to date with its host memory.</summary>
    public void Store(void* host, Tensor tensor)
    {
        if (!IsHost)
        {
            Device.CopyRowsFromHost(host, tensor);
        }
    }

    /// <summary>Gives everything rented back.</summary>
    public void Release() => Device.Workspace.Advance(_start);
}
