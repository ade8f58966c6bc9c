using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Devices;

/// <summary>Work that a GPU records and replays, and what happens to memory around it.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class WorkRecorderTests(TestDevice on)
{
    private CudaDevice _device = null!;
    private Tensor _input = null!, _output = null!;
    private ReplayedWork _work = null!;

    [SetUp]
    public void Open()
    {
        _device = (CudaDevice)on.Open();
        _work = new ReplayedWork(_device, () =>
        {
            _output = _device.Workspace.Rent(new Shape(100));
            _device.Copy(_output.Address, _input.Address, 400);
        });
    }

    [TearDown]
    public void Close() => _device.Dispose();

    [Test]
    public void The_third_run_is_recorded_and_the_fourth_replayed()
    {
        for (int step = 0; step < 6; step++)
        {
            Step(step);
            Assert.That(_device.Recorder.Replays, Is.EqualTo(Math.Max(0, step - 2)));
        }
    }

    [Test]
    public void What_comes_before_may_vary_in_size()
    {
        for (int step = 0; step < 20; step++)
        {
            Step(step, before: 50 + (step * 37 % 100));
        }

        Assert.That(_device.Recorder.Replays, Is.GreaterThanOrEqualTo(16));
    }

    [Test]
    public void A_workspace_that_moved_ends_a_recording()
    {
        Repeat(6);
        _device.Workspace.Reset();
        _device.Workspace.Rent(new Shape(5_000_000));
        Repeat(6);
        _device.Workspace.Trim();
        Repeat(6);
        Assert.That(_device.Recorder.Replays, Is.EqualTo(9));
    }

    [Test]
    public void Tensors_that_others_used_end_a_recording()
    {
        Repeat(6);
        _device.Workspace.Reset();
        for (int i = 0; i < 200; i++)
        {
            _device.Workspace.Rent(new Shape(7));
        }

        Repeat(6);
        Assert.That(_device.Recorder.Replays, Is.GreaterThan(3));
    }

    [Test]
    public void Work_that_outgrows_the_block_while_recorded_runs_anyway()
    {
        int size = 1000;
        Tensor last = null!;
        var growing = new ReplayedWork(_device, () =>
        {
            for (int i = 0; i < 4; i++)
            {
                last = _device.Workspace.Rent(new Shape(size));
            }

            _device.Fill(last, 3f);
        });
        for (int step = 0; step < 12; step++)
        {
            // The third run, which would be recorded, needs ten times the memory.
            size = step == 2 ? 200_000 : 1000;
            _device.Workspace.Reset();
            growing.Run(0);
            Assert.That(Samples.Read(last), Is.All.EqualTo(3f), $"step {step}");
        }
    }

    [Test]
    public void Another_key_is_another_recording()
    {
        float factor = 1;
        var work = new ReplayedWork(_device, () =>
        {
            _output = _device.Workspace.Rent(new Shape(3));
            _device.Fill(_output, factor);
        });
        for (int step = 0; step < 12; step++)
        {
            factor = step / 4;
            _device.Workspace.Reset();
            work.Run((long)factor);
            Assert.That(Samples.Read(_output), Is.All.EqualTo(factor));
        }

        Assert.That(_device.Recorder.Replays, Is.EqualTo(1 + 2 + 2));
    }

    [Test]
    public void Work_that_uploads_is_never_recorded_and_still_right()
    {
        var values = new float[5];
        var work = new ReplayedWork(_device, () =>
        {
            _output = _device.Workspace.Rent(new Shape(5));
            _output.CopyFrom(values);
        });
        for (int step = 0; step < 6; step++)
        {
            Array.Fill(values, step);
            _device.Workspace.Reset();
            work.Run(0);
            Assert.That(Samples.Read(_output), Is.All.EqualTo((float)step));
        }

        Assert.That(_device.Recorder.Replays, Is.Zero);
    }

    [Test]
    public void An_error_in_the_work_is_the_error_that_is_reported_and_the_device_goes_on()
    {
        int run = 0;
        var work = new ReplayedWork(_device, () =>
        {
            _device.Fill(_device.Workspace.Rent(new Shape(5)), 1f);
            if (run++ == 2)
            {
                throw new InvalidDataException("the work's own error");
            }
        });
        void Once()
        {
            _device.Workspace.Reset();
            work.Run(0);
        }

        Once();
        Once();
        Assert.That(Once, Throws.TypeOf<InvalidDataException>());
        Once();
        Repeat(6);
    }

    private void Repeat(int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            Step(step);
        }
    }

    private void Step(int step, int before = 10)
    {
        _device.Workspace.Reset();
        _device.Workspace.Rent(new Shape(before));

        _work.Begin();
        _input = _device.Workspace.Rent(new Shape(100));
        _device.Fill(_input, step);
        _work.Run(0);
        Assert.That(_output.Shape, Is.EqualTo(new Shape(100)));
        Assert.That(Samples.Read(_output), Is.All.EqualTo((float)step), $"step {step}");
        _device.Zero(_output);
    }
}
