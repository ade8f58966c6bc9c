using Spk.Interop;
using Spk.Interop.Cuda;

namespace Spk.Engine.Devices.Cuda;

/// <summary>The kernels one device has loaded: modules by source file, functions by <see cref="KernelId.Index"/>.</summary>
internal sealed class KernelTable(CudaDriver driver, KernelImages images)
{
    private const int SharedWithoutOptIn = 48 * 1024;

    private const int NotFound = 500;

    private readonly Dictionary<string, CudaModule> _modules = [];
    private readonly HashSet<int> _missing = [];
    private CudaFunction[] _functions = new CudaFunction[64];

    /// <summary>The function of a kernel, loaded at its first use.</summary>
    public CudaFunction this[KernelId id] =>
        id.Index < _functions.Length && _functions[id.Index].Value != 0 ? _functions[id.Index] : Load(id);

    /// <summary>Whether there is a binary of a kernel's file, and the kernel in it.</summary>
    public bool Has(KernelId id)
    {
        if (_missing.Contains(id.Index))
        {
            return false;
        }

        try
        {
            return this[id].Value != 0;
        }
        catch (SpkException e) when (e is CudaException { Code: NotFound } or DeviceUnavailableException)
        {
            _missing.Add(id.Index);
            return false;
        }
    }

    public void Unload()
    {
        foreach (var module in _modules.Values)
        {
            driver.UnloadModule(module);
        }

        _modules.Clear();
    }

    private CudaFunction Load(KernelId id)
    {
        if (!_modules.TryGetValue(id.Source, out var module))
        {
            module = images.Load(id.Source);
            _modules.Add(id.Source, module);
        }

        var function = driver.GetFunction(module, id.Name);
        if (id.SharedBytes > SharedWithoutOptIn)
        {
            driver.SetAttribute(function, FunctionProperty.MaxDynamicSharedSizeBytes, id.SharedBytes);
        }

        if (id.Index >= _functions.Length)
        {
            Array.Resize(ref _functions, Math.Max(id.Index + 1, 2 * _functions.Length));
        }

        return _functions[id.Index] = function;
    }
}
