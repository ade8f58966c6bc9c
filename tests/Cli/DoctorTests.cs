using NUnit.Framework;
using Spk.Interop.Mpi;
using Spk.Interop.Nccl;
using Spk.Tests.Support;

namespace Spk.Tests.Cli;

public class DoctorTests
{
    [Test]
    public void Says_what_is_there_and_what_comes_next()
    {
        var run = CommandLine.Run("doctor");
        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Output, Does.Contain("processors").And.Contain("cuda").And.Contain("Next step: spk demo"));
        Assert.That(run.Error, Is.Empty);
    }

    [Test]
    public void Json_is_one_object()
    {
        var json = CommandLine.Run("doctor", "--json").Json;
        Assert.That(json.GetProperty("next").GetString(), Is.EqualTo("spk demo"));
        Assert.That(json.GetProperty("processors").GetProperty("value").GetString(), Does.Contain(Environment.ProcessorCount.ToString()));
    }

    [Test]
    public void Names_the_libraries_by_which_processes_work_together()
    {
        using var mpi = new EnvironmentValue(MpiLibrary.OverrideVariable, "/nowhere/libmpi.so.40");
        using var nccl = new EnvironmentValue(NcclLibrary.OverrideVariable, "libc.so.6");
        var json = CommandLine.Run("doctor", "--json").Json;
        Assert.That(json.GetProperty("mpi").GetProperty("value").GetString(), Does.StartWith("/nowhere/libmpi.so.40: not found"));
        Assert.That(json.GetProperty("nccl").GetProperty("value").GetString(), Does.StartWith("libc.so.6: not NCCL"));
    }

    [Test]
    public void Another_library_is_not_taken_for_Open_MPI()
    {
        using var mpi = new EnvironmentValue(MpiLibrary.OverrideVariable, "libc.so.6");
        var trace = new List<string>();
        Assert.That(MpiLibrary.IsInstalled(trace), Is.False);
        Assert.That(trace, Is.EqualTo(["libc.so.6: not Open MPI"]));
    }
}
