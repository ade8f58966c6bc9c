using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks;

/// <summary>Writes more memory than any cache holds, so that what a case reads comes from memory.</summary>
internal sealed class CacheFlush(Device device)
{
    private const int Floats = 1 << 26;
    private readonly Tensor _other = device.AllocatePersistent(new Shape(Floats));
    private float _value;

    public void Run()
    {
        device.Fill(_other, ++_value);
        device.Synchronize();
    }
}
