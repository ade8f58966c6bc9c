using System.Globalization;
using Spk.Engine.Collectives;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Devices;

/// <summary>Where tensors live and ops run. Every op has one implementation per kind of device.</summary>
/// <remarks>A device is used by one thread at a time; it spreads the work over its own workers.</remarks>
public abstract class Device : IDisposable
{
    /// <summary>Short name for logs, such as "cpu (2 threads, AVX-512)".</summary>
    public abstract string Name { get; }

    /// <summary>Memory for the tensors of the current step.</summary>
    public abstract Workspace Workspace { get; }

    /// <summary>
    /// Opens a device. <c>cpu</c> always works; <c>cuda[:n]</c> works or throws with everything that was probed;
    /// <c>auto</c> takes a GPU that works, else the CPU, and never the emulator. There is no silent fallback.
    /// </summary>
    /// <param name="name"><c>auto</c>, <c>cpu</c> or <c>cuda[:n]</c>.</param>
    /// <param name="threads">CPU worker threads; 0 for one per logical processor.</param>
    /// <returns>The device; the caller disposes it.</returns>
    /// <exception cref="DeviceUnavailableException">CUDA was asked for and cannot be used.</exception>
    /// <exception cref="InvalidOptionException">The name is none of the above.</exception>
    public static Device Open(string name = "auto", int threads = 0) => Open(name, threads, out _);

    /// <summary>As <see cref="Open(string, int)"/>, and says why this device and not another.</summary>
    /// <param name="name"><c>auto</c>, <c>cpu</c> or <c>cuda[:n]</c>.</param>
    /// <param name="threads">CPU worker threads; 0 for one per logical processor.</param>
    /// <param name="reason">For logs, such as "no GPU: libcuda.so.1: not found".</param>
    /// <returns>The device; the caller disposes it.</returns>
    /// <exception cref="DeviceUnavailableException">CUDA was asked for and cannot be used.</exception>
    /// <exception cref="InvalidOptionException">The name is none of the above.</exception>
    public static Device Open(string name, int threads, out string reason)
    {
        ArgumentNullException.ThrowIfNull(name);
        switch (name)
        {
            case "cpu":
                reason = "as asked for";
                return new CpuDevice(threads);
            case "auto":
                return (Device?)CudaProbe.TryOpen(out reason) ?? new CpuDevice(threads);
            case "cuda":
                reason = "as asked for";
                return CudaProbe.Open(name, 0);
        }

        const string Prefix = "cuda:";
        if (name.StartsWith(Prefix, StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal))
        {
            reason = "as asked for";
            return CudaProbe.Open(name, ordinal);
        }

        throw new InvalidOptionException($"Unknown device '{name}': allowed are auto, cpu, cuda and cuda:N.");
    }

    /// <summary>What the device's memory is held for.</summary>
    public DeviceMemory Memory => new(PersistentBytes, Workspace.ReservedBytes, Workspace.UsedBytes, Workspace.PeakBytes, FreeBytes);

    /// <summary>Bytes held, as in <see cref="Memory"/>, without asking the driver for the rest.</summary>
    public long HeldBytes => PersistentBytes + Workspace.ReservedBytes;

    /// <summary>Bytes of all persistent tensors.</summary>
    private protected long PersistentBytes { get; set; }

    private protected virtual long? FreeBytes => null;

    /// <summary>Allocates a tensor that outlives the workspace step, filled with zeros.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="type">Its element type.</param>
    /// <returns>The tensor; its memory is freed with the device.</returns>
    public abstract Tensor AllocatePersistent(Shape shape, ElementType type = ElementType.Float32);

    /// <summary>Fills a tensor with zeros.</summary>
    /// <param name="tensor">Any tensor of this device.</param>
    public abstract void Zero(Tensor tensor);

    /// <summary>Sets every element of a tensor.</summary>
    /// <param name="tensor">A contiguous f32 tensor of this device.</param>
    /// <param name="value">The value.</param>
    public abstract void Fill(Tensor tensor, float value);

    /// <summary>The processes that train together with this one; <see cref="Collective.Alone"/> unless set. Stays the caller's.</summary>
    /// <exception cref="InvalidOptionException">They do not exchange what lies on this device.</exception>
    public Collective Collective
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.Ranks > 1 && !value.Serves(this))
            {
                throw new InvalidOptionException($"{value.Ranks} processes that exchange tensors of another device cannot train together on {Name}.");
            }

            field = value;
        }
    } = Collective.Alone;

    /// <summary>How matrix products round their inputs; <see cref="Precision.Fp32"/> unless set.</summary>
    /// <exception cref="InvalidOptionException">This kind of device has no such arithmetic.</exception>
    public virtual Precision Precision
    {
        get => Precision.Fp32;
        set
        {
            if (value != Precision.Fp32)
            {
                throw new InvalidOptionException($"precision = {value} needs a GPU: on {Name} only Fp32 is available.");
            }
        }
    }

    /// <summary>Copies a tensor to host memory, row by row.</summary>
    /// <typeparam name="T">What the tensor holds: float, int or short.</typeparam>
    /// <param name="source">A tensor of this device.</param>
    /// <param name="destination">At least as many elements.</param>
    /// <exception cref="ShapeException">The tensor holds another type, or more elements.</exception>
    public unsafe void CopyToHost<T>(Tensor source, Span<T> destination) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(source);
        if (destination.Length < source.Count || !ElementTypes.Holds<T>(source.ElementType))
        {
            throw new ShapeException($"{destination.Length} values of {typeof(T).Name} do not hold a {source.ElementType} tensor of shape {source.Shape}.");
        }

        fixed (T* host = destination)
        {
            CopyRowsToHost(source, host);
        }
    }

    /// <summary>Copies host memory to a tensor, row by row.</summary>
    /// <typeparam name="T">What the tensor holds: float, int or short.</typeparam>
    /// <param name="source">Exactly as many elements as the tensor has; may be reused when this returns.</param>
    /// <param name="destination">A tensor of this device.</param>
    /// <exception cref="ShapeException">The tensor holds another type, or another number of elements.</exception>
    public unsafe void CopyFromHost<T>(ReadOnlySpan<T> source, Tensor destination) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (source.Length != destination.Count || !ElementTypes.Holds<T>(destination.ElementType))
        {
            throw new ShapeException($"{source.Length} values of {typeof(T).Name} do not fill a {destination.ElementType} tensor of shape {destination.Shape}.");
        }

        fixed (T* host = source)
        {
            CopyRowsFromHost(host, destination);
        }
    }

    /// <summary>Waits until everything launched so far is done.</summary>
    public virtual void Synchronize() { }

    /// <summary>
    /// Runs a sequence of ops whose shapes, addresses and arguments are the same every time. A GPU records it once and then
    /// replays it without the cost of single launches; the CPU just runs it.
    /// </summary>
    internal virtual void Replay(ReplayedWork work) => work.RunEagerly();

    /// <summary>Makes room for the inputs of such a sequence where they were the last time.</summary>
    internal virtual void Begin(ReplayedWork work) { }

    internal abstract unsafe void CopyRowsToHost(Tensor source, void* host);

    internal abstract unsafe void CopyRowsFromHost(void* host, Tensor destination);

    internal abstract nint AllocateBlock(long bytes);

    internal abstract void FreeBlock(nint address);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees memory and workers.</summary>
    /// <param name="disposing">True from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);
}
