using System.Collections.Concurrent;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Models;

namespace Spk.Engine.Verification;

/// <summary>Copies of one model, each with a device of its own, lent to one caller at a time.</summary>
internal sealed class ModelPool : IDisposable
{
    private readonly ConcurrentStack<SpeakerModel> _free = new();
    private readonly SpeakerModel[] _all;
    private readonly SemaphoreSlim _permits;

    public ModelPool(string path, VerifierOptions options)
    {
        var models = new List<SpeakerModel>();
        try
        {
            // The first device tells how many there should be.
            models.Add(Load());
            int count = options.Contexts > 0 ? options.Contexts : models[0].Device is CudaDevice ? 1 : Environment.ProcessorCount;
            while (models.Count < count)
            {
                models.Add(Load());
            }
        }
        catch
        {
            models.ForEach(model => model.Device.Dispose());
            throw;
        }

        _all = [.. models];
        _free.PushRange(_all);
        _permits = new SemaphoreSlim(_all.Length);

        SpeakerModel Load()
        {
            var device = Device.Open(options.Device, options.ThreadsPerContext);
            try
            {
                return SpeakerModel.Load(path, device);
            }
            catch
            {
                device.Dispose();
                throw;
            }
        }
    }

    /// <summary>One of them, for what they have in common.</summary>
    public SpeakerModel Any => _all[0];

    public int Count => _all.Length;

    public long HeldBytes => _all.Sum(model => model.Device.HeldBytes);

    public SpeakerModel Rent(CancellationToken cancellation)
    {
        _permits.Wait(cancellation);
        return _free.TryPop(out var model) ? model : throw new InvalidOperationException("A permit without a model.");
    }

    public void Return(SpeakerModel model)
    {
        _free.Push(model);
        _permits.Release();
    }

    /// <summary>Waits for the models that are lent, then frees them all.</summary>
    public void Dispose()
    {
        for (int i = 0; i < _all.Length; i++)
        {
            _permits.Wait();
        }

        foreach (var model in _all)
        {
            model.Device.Dispose();
        }

        _permits.Dispose();
    }
}
