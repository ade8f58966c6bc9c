using NUnit.Framework;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Interop.Cuda;
using Spk.Interop.Nccl;
using Spk.Tests.Support;

namespace Spk.Tests.Collectives;

/// <summary>The bindings, with a group of one process: what several exchange is tried by processes (<see cref="NcclTrainingTests"/>).</summary>
public class NcclLibraryTests
{
    private CudaDevice _device = null!;
    private NcclLibrary _nccl = null!;
    private nint _group;

    [SetUp]
    public void Join()
    {
        _device = (CudaDevice)TestDevice.Cuda.First().Open();
        _nccl = NcclLibrary.Load(_device.Driver);
        _group = _nccl.Join(_nccl.CreateUniqueId(), rank: 0, ranks: 1);
    }

    [TearDown]
    public void Leave()
    {
        if (_group != 0)
        {
            _nccl.Leave(_group);
        }

        _device?.Dispose();
    }

    [Test]
    public void Queued_and_recorded_exchanges_take_the_values_of_their_time()
    {
        var own = Samples.Constant(_device, new Shape(3), [1, 2, 3]);
        var all = Samples.Constant(_device, new Shape(3), [0, 0, 0]);
        _nccl.AverageInPlace(_group, own.Address, 3, _device.Stream);
        _nccl.Gather(_group, own.Address, 3, all.Address, _device.Stream);
        Assert.That(Samples.Read(own), Is.EqualTo(new float[] { 1, 2, 3 }));
        Assert.That(Samples.Read(all), Is.EqualTo(new float[] { 1, 2, 3 }));

        _device.Driver.BeginCapture(_device.Stream);
        _nccl.Gather(_group, own.Address, 3, all.Address, _device.Stream);
        var graph = _device.Driver.EndCapture(_device.Stream);
        var recording = _device.Driver.Instantiate(graph);
        own.CopyFrom([7f, 8, 9]);
        Assert.That(Samples.Read(all), Is.EqualTo(new float[] { 1, 2, 3 }), "recorded, not run");
        _device.Driver.Launch(recording, _device.Stream);
        Assert.That(Samples.Read(all), Is.EqualTo(new float[] { 7, 8, 9 }));
        _nccl.CheckQueued(_group);
        _device.Driver.Destroy(recording);
        _device.Driver.Destroy(graph);
    }

    [Test]
    public void A_refused_call_names_itself_and_the_status()
    {
        Assume.That(_device.Driver.IsEmulator, "a GPU does not look where addresses lie");
        Assert.That(
            () => _nccl.AverageInPlace(_group, 8, 1, _device.Stream),
            Throws.TypeOf<CudaException>().With.Message.StartsWith("NCCL: ncclAllReduce failed with invalid argument (4)"));
        Assert.That(() => _nccl.Join(default, rank: 1, ranks: 1), Throws.TypeOf<CudaException>().With.Message.StartsWith("NCCL: ncclCommInitRank failed"));
    }

    [Test]
    public void The_version_is_known() => Assert.That(_nccl.Version, Is.GreaterThanOrEqualTo(21000));

    [Test]
    [NonParallelizable]
    public void A_library_that_is_something_else_is_named()
    {
        Environment.SetEnvironmentVariable(NcclLibrary.OverrideVariable, "libc.so.6");
        try
        {
            Assert.That(
                () => NcclLibrary.Load(_device.Driver),
                Throws.TypeOf<DeviceUnavailableException>().With.Message.Contains("libc.so.6: not NCCL").And.Message.Contains("libnccl2"));
        }
        finally
        {
            Environment.SetEnvironmentVariable(NcclLibrary.OverrideVariable, null);
        }
    }
}
