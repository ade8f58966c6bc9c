using NUnit.Framework;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Collectives;

public class CollectiveTests
{
    [Test]
    public void Three_gather_average_and_find_the_least()
    {
        var results = ThreadCollective.Run(3, processes =>
        {
            using var device = new CpuDevice(1);
            var own = Samples.Constant(device, new Shape(2, 2), [processes.Rank, 1, 2, 10 * processes.Rank]);
            var all = device.Workspace.Rent(new Shape(6, 2));
            processes.Gather(own, all);
            processes.Average(own);
            return (All: Samples.Read(all), Average: Samples.Read(own), Least: processes.Least(5 - processes.Rank), processes.IsLead);
        });
        foreach (var (all, average, least, _) in results)
        {
            Assert.That(all, Is.EqualTo(new float[] { 0, 1, 2, 0, 1, 1, 2, 10, 2, 1, 2, 20 }));
            Assert.That(average, Is.EqualTo(new float[] { 1, 1, 2, 10 }));
            Assert.That(least, Is.EqualTo(3));
        }

        Assert.That(results.Select(r => r.IsLead), Is.EqualTo([true, false, false]));
    }

    [Test]
    public void All_learn_whether_they_agree([Values(0L, 1L, long.MaxValue, long.MinValue, -7L)] long fingerprint)
    {
        Assert.That(ThreadCollective.Run(2, processes => processes.Agrees(fingerprint)), Is.All.True);
        Assert.That(ThreadCollective.Run(2, processes => processes.Agrees(fingerprint ^ processes.Rank)), Is.All.False);
    }

    [Test]
    public void Alone_everything_is_as_it_was()
    {
        using var device = new CpuDevice(1);
        Assert.That(device.Collective, Is.SameAs(Collective.Alone));
        var own = Samples.Constant(device, new Shape(1, 3), [1, 2, 3]);
        var all = device.Workspace.Rent(new Shape(1, 3));
        Collective.Alone.Gather(own, all);
        Collective.Alone.Average(all);
        Assert.That(Samples.Read(all), Is.EqualTo(new float[] { 1, 2, 3 }));
        Assert.That(Collective.Alone.Least(9), Is.EqualTo(9));
        Assert.That(Collective.Alone.Agrees(-9), Is.True);
        Assert.That(Collective.Alone.IsLead, Is.True);
        Assert.That(MpiCollective.OfLaunch(), Is.Null, "nothing is loaded without mpirun");
    }

    [Test]
    public void Tensors_that_cannot_be_exchanged_are_refused()
    {
        using var device = new CpuDevice(1);
        var x = device.Workspace.Rent(new Shape(2, 4));
        Assert.That(() => Collective.Alone.Average(x.Channels(0, 2)), Throws.TypeOf<ShapeException>().With.Message.Contains("contiguous"));
        Assert.That(() => Collective.Alone.Average(device.Workspace.Rent(new Shape(2), ElementType.Int32)), Throws.TypeOf<ShapeException>().With.Message.Contains("f32"));
        Assert.That(() => Collective.Alone.Gather(x, device.Workspace.Rent(new Shape(3, 4))), Throws.TypeOf<ShapeException>().With.Message.Contains("8 values"));
        Assert.That(() => GatherViews.Forward(null, Shared(device), views: 3), Throws.TypeOf<ShapeException>().With.Message.Contains("3 views"));

        static Tensor Shared(CpuDevice device)
        {
            device.Collective = new Pretended();
            return device.Workspace.Rent(new Shape(4, 1));
        }
    }

    [Test]
    public void Ranks_with_different_shapes_are_found_out_and_a_rank_that_fails_ends_the_others()
    {
        Assert.That(
            () => ThreadCollective.Run(2, processes =>
            {
                using var device = new CpuDevice(1);
                processes.Average(device.Workspace.Rent(new Shape(1 + processes.Rank)));
                return 0;
            }),
            Throws.TypeOf<ShapeException>().With.Message.Contains("average of 1, average of 2"));
        Assert.That(
            () => ThreadCollective.Run(2, processes => processes.IsLead ? processes.Least(1) : throw new DataFormatException("broken.")),
            Throws.TypeOf<DataFormatException>());
    }

    [Test]
    public void Devices_take_processes_that_exchange_what_lies_on_them()
    {
        using var device = TestDevice.Cuda.First().Open();
        device.Collective = Collective.Alone;
        Assert.That(() => device.Collective = new Pretended(), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("2 processes that exchange tensors of another device"));
    }

    /// <summary>Says that there are two and exchanges nothing.</summary>
    private sealed class Pretended : Collective
    {
        public override int Rank => 0;

        public override int Ranks => 2;

        public override long Least(long value) => value;

        public override void Abort(int exitCode)
        {
        }

        internal override bool Serves(Device device) => device is CpuDevice;

        private protected override void AverageOver(Tensor tensor)
        {
        }

        private protected override void GatherFrom(Tensor own, Tensor all)
        {
        }

        private protected override void ExchangeBytes(ReadOnlySpan<byte> own, Span<byte> all)
        {
        }
    }
}
