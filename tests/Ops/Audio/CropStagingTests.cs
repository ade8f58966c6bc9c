using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Audio;

/// <summary>Samples that travel ahead of the batch that needs them.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class CropStagingTests(TestDevice on)
{
    private const int Length = 300;

    private static readonly MemorySource First = new([.. Enumerable.Range(0, 5).Select(i => Pcm(i, 400 + i))]);
    private static readonly MemorySource Second = new([.. Enumerable.Range(0, 5).Select(i => Pcm(i + 50, 500 + i))]);

    [Test]
    public void Announced_crops_are_those_that_were_not_announced()
    {
        using var device = on.Open();
        float[][] want = [.. Enumerable.Range(0, 6).Select(turn => Read(device, turn))];
        for (int turn = 0; turn < 6; turn++)
        {
            // Two sources a turn, one turn ahead: as a training step with noise does.
            CropGather.Prepare(device, Source(turn + 1), Requests(turn + 1), Length);
            CropGather.Prepare(device, Source(turn + 2), Requests(turn + 2), Length);
            Assert.That(Read(device, turn), Is.EqualTo(want[turn]), $"turn {turn}");
            device.Workspace.Reset();
        }
    }

    [Test]
    public void Announcements_that_nobody_takes_do_no_harm()
    {
        using var device = on.Open();
        float[] want = Read(device, 0);
        for (int turn = 1; turn < 12; turn++)
        {
            CropGather.Prepare(device, Source(turn), Requests(turn), Length + turn);
        }

        Assert.That(Read(device, 0), Is.EqualTo(want));
    }

    [Test]
    public void More_speeds_than_are_remembered_are_read_right()
    {
        using var cpu = TestDevice.Cpu.Open();
        using var device = on.Open();
        for (int batch = 0; batch < 3; batch++)
        {
            CropRequest[] crops = [.. Enumerable.Range(0, 45).Select(i => new CropRequest(i % 5, 3, 1f, 0.8f + (0.003f * ((45 * batch) + i))))];
            float[] want = Samples.Read(CropGather.Forward(cpu, First, crops, 40)), got = Samples.Read(CropGather.Forward(device, First, crops, 40));
            Close.Assert(got, want, 1e-5, $"batch {batch}");
        }
    }

    private static float[] Read(Device device, int turn) => Samples.Read(CropGather.Forward(device, Source(turn), Requests(turn), Length));

    private static MemorySource Source(int turn) => turn % 2 == 0 ? First : Second;

    private static CropRequest[] Requests(int turn) =>
        [.. Enumerable.Range(0, 3 + turn).Select(i => new CropRequest(i % 5, ((37 * i) + turn) % 400, 1f, i % 3 == 1 ? 1.1f : 1f))];

    private static short[] Pcm(int seed, int length) => [.. Samples.Normal(seed + 1, length, 4000f).Select(v => (short)v)];
}
