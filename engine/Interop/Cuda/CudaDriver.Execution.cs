using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Spk.Interop.Cuda;

/// <summary>Properties of a kernel (CUfunction_attribute); values are the driver's numbers.</summary>
public enum FunctionProperty
{
    /// <summary>Most threads of a block it can be launched with.</summary>
    MaxThreadsPerBlock = 0,

    /// <summary>Static shared memory in bytes.</summary>
    SharedSizeBytes = 1,

    /// <summary>Bytes of local memory (spills, stack) of a thread.</summary>
    LocalSizeBytes = 3,

    /// <summary>Registers of a thread.</summary>
    NumberOfRegisters = 4,

    /// <summary>Dynamic shared memory it may be launched with; set it to go above 48 KiB.</summary>
    MaxDynamicSharedSizeBytes = 8,
}

public sealed unsafe partial class CudaDriver
{
    private const int MostArguments = 32;

    // Sizes of kernels' parameters, for checking launches. Handles may come back after a module is unloaded.
    private readonly ConcurrentDictionary<nint, int[]> _parameterSizes = new();

    private delegate* unmanaged<nint*, void*, int> _moduleLoad;
    private delegate* unmanaged<nint, int> _moduleUnload;
    private delegate* unmanaged<nint*, nint, byte*, int> _moduleGetFunction;
    private delegate* unmanaged<nint, int, int, int> _functionSetAttribute;
    private delegate* unmanaged<int*, int, nint, int> _functionGetAttribute;
    private delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> _launchKernel;
    private delegate* unmanaged<nint, nuint, nuint*, nuint*, int> _functionGetParameter;
    private delegate* unmanaged<int*, nint, int, nuint, int> _occupancy;

    /// <summary>Loads a cubin, or PTX text that ends with a zero byte.</summary>
    /// <param name="image">The binary.</param>
    /// <param name="name">What to call it in an error.</param>
    /// <returns>The module.</returns>
    public CudaModule LoadModule(ReadOnlySpan<byte> image, string name)
    {
        nint module;
        fixed (byte* pointer = image)
        {
            Check(_moduleLoad(&module, pointer), "cuModuleLoadData", name);
        }

        return new CudaModule(module);
    }

    /// <summary>Unloads a module.</summary>
    /// <param name="module">From <see cref="LoadModule"/>.</param>
    public void UnloadModule(CudaModule module)
    {
        _parameterSizes.Clear();
        Check(_moduleUnload(module.Value), "cuModuleUnload");
    }

    /// <summary>Finds a kernel.</summary>
    /// <param name="module">From <see cref="LoadModule"/>.</param>
    /// <param name="name">Its plain name (kernels are extern "C").</param>
    public CudaFunction GetFunction(CudaModule module, string name)
    {
        nint function;
        fixed (byte* pointer = ZeroTerminated(name))
        {
            Check(_moduleGetFunction(&function, module.Value, pointer), "cuModuleGetFunction", name);
        }

        return new CudaFunction(function);
    }

    /// <summary>Sets a property of a kernel.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="attribute">Which property.</param>
    /// <param name="value">Its value.</param>
    public void SetAttribute(CudaFunction function, FunctionProperty attribute, int value) =>
        Check(_functionSetAttribute(function.Value, (int)attribute, value), "cuFuncSetAttribute");

    /// <summary>A property of a kernel.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="attribute">Which property.</param>
    public int GetAttribute(CudaFunction function, FunctionProperty attribute)
    {
        int value;
        Check(_functionGetAttribute(&value, (int)attribute, function.Value), "cuFuncGetAttribute");
        return value;
    }

    /// <summary>Bytes of each of a kernel's parameters; null where the driver cannot say (before CUDA 12.4).</summary>
    /// <param name="function">The kernel.</param>
    public IReadOnlyList<int>? ParameterSizes(CudaFunction function)
    {
        if (_functionGetParameter == null)
        {
            return null;
        }

        var sizes = new List<int>();
        nuint offset, size;
        while (_functionGetParameter(function.Value, (nuint)sizes.Count, &offset, &size) == 0)
        {
            sizes.Add((int)size);
        }

        return sizes;
    }

    /// <summary>How many blocks of a kernel fit on a multiprocessor at once.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    public int BlocksPerMultiprocessor(CudaFunction function, int threads, int sharedBytes = 0)
    {
        if (_occupancy == null)
        {
            throw new EntryPointNotFoundException($"{Path} has no cuOccupancyMaxActiveBlocksPerMultiprocessor.");
        }

        int blocks;
        Check(_occupancy(&blocks, function.Value, threads, (nuint)sharedBytes), "cuOccupancyMaxActiveBlocksPerMultiprocessor");
        return blocks;
    }

    /// <summary>Queues a kernel. Allocates nothing but at the first launch of each kernel.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="name">Its name, for errors.</param>
    /// <param name="shape">Grid, block and shared memory.</param>
    /// <param name="stream">The queue.</param>
    /// <param name="arguments">The kernel's parameters in order, at most 32.</param>
    /// <exception cref="CudaException">The driver refuses the launch.</exception>
    /// <exception cref="ArgumentException">The arguments are not the kernel's parameters in number or size, where the driver can say.</exception>
    public void Launch(CudaFunction function, string name, in LaunchShape shape, CudaStream stream, params ReadOnlySpan<KernelArgument> arguments)
    {
        CheckArguments(function, name, arguments);
        void** pointers = stackalloc void*[MostArguments];
        fixed (KernelArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i] = KernelArgument.Location(first + i);
            }

            int status = _launchKernel(
                function.Value, (uint)shape.GridX, (uint)shape.GridY, (uint)shape.GridZ, (uint)shape.BlockX, (uint)shape.BlockY, 1,
                (uint)shape.SharedBytes, stream.Value, pointers, null);
            if (status != 0)
            {
                ThrowLaunch(status, name);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ThrowLaunch(int status, string name) => throw Failure(status, "cuLaunchKernel", name);

    // A wrong size would make the kernel read its neighbour argument, silently. A look-up is nothing beside a launch.
    private void CheckArguments(CudaFunction function, string name, ReadOnlySpan<KernelArgument> arguments)
    {
        if (!_parameterSizes.TryGetValue(function.Value, out int[]? sizes))
        {
            sizes = [.. ParameterSizes(function) ?? []];
            _parameterSizes.TryAdd(function.Value, sizes);
        }

        bool fits = arguments.Length <= MostArguments && (_functionGetParameter == null || sizes.Length == arguments.Length);
        for (int i = 0; fits && i < sizes.Length; i++)
        {
            fits = sizes[i] == arguments[i].Size;
        }

        if (!fits)
        {
            ThrowArguments(name, sizes, arguments);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ThrowArguments(string name, int[] sizes, ReadOnlySpan<KernelArgument> arguments)
    {
        var given = new List<int>();
        foreach (var argument in arguments)
        {
            given.Add(argument.Size);
        }

        throw new ArgumentException(
            given.Count > MostArguments
                ? $"Kernel {name} was given {given.Count} arguments; at most {MostArguments} are allowed."
                : $"Kernel {name} takes parameters of {string.Join(", ", sizes)} bytes, but was given arguments of {string.Join(", ", given)} bytes.",
            nameof(arguments));
    }

    private void BindExecution()
    {
        _moduleLoad = (delegate* unmanaged<nint*, void*, int>)Export("cuModuleLoadData");
        _moduleUnload = (delegate* unmanaged<nint, int>)Export("cuModuleUnload");
        _moduleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Export("cuModuleGetFunction");
        _functionSetAttribute = (delegate* unmanaged<nint, int, int, int>)Export("cuFuncSetAttribute");
        _functionGetAttribute = (delegate* unmanaged<int*, int, nint, int>)Export("cuFuncGetAttribute");
        _launchKernel =
            (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Export("cuLaunchKernel");
        _functionGetParameter = (delegate* unmanaged<nint, nuint, nuint*, nuint*, int>)OptionalExport("cuFuncGetParamInfo");
        _occupancy = (delegate* unmanaged<int*, nint, int, nuint, int>)OptionalExport("cuOccupancyMaxActiveBlocksPerMultiprocessor");
    }
}
