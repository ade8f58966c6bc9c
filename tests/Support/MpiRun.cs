using System.Diagnostics;
using NUnit.Framework;

namespace Spk.Tests.Support;

/// <summary>The tool in processes of its own, together by <c>mpirun</c> or alone.</summary>
internal static class MpiRun
{
    private static readonly string Tool = Path.Combine(TestContext.CurrentContext.TestDirectory, "spk.dll");

    /// <summary>Skips a test where there is no <c>mpirun</c>.</summary>
    public static void Require()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        if (!folders.Any(folder => File.Exists(Path.Combine(folder, "mpirun"))))
        {
            Assert.Ignore("skipped, optional: mpirun was not found (Debian: openmpi-bin)");
        }
    }

    /// <summary>
    /// What makes processes train on emulated GPUs. Exchanges wait in the stream, as on a GPU, until somebody waits for them.
    /// </summary>
    public static (string Name, string Value)[] Emulator => [("SPK_CUDA_DRIVER", EmulatorSettings.LibraryPath), ("SPK_EMULATOR_LAZY_STREAMS", "1")];

    /// <summary>Starts two ranks; rank r writes its process id to the file <c>pid.r</c> in a folder.</summary>
    public static Process Start(string folder, params string[] args) => Start(folder, [], args);

    /// <summary>The same with further environment variables.</summary>
    public static Process Start(string folder, (string Name, string Value)[] environment, params string[] args)
    {
        // More ranks than cores, in a container, perhaps as its root.
        List<string> line = ["-n", "2", "--oversubscribe", "--bind-to", "none", "--mca", "btl_vader_single_copy_mechanism", "none"];
        if (Environment.IsPrivilegedProcess)
        {
            line.Add("--allow-run-as-root");
        }

        line.AddRange(["sh", "-c", "echo $$ > \"$0/pid.$OMPI_COMM_WORLD_RANK\"; exec dotnet exec \"$@\"", folder, Tool, .. args]);
        return Start("mpirun", line, environment);
    }

    /// <summary>Runs one process that believes <c>mpirun</c> started two.</summary>
    public static (int Code, string Output, string Error) Believe(string library, params string[] args) =>
        Finish(StartAlone([("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "0"), ("SPK_MPI", library)], args));

    /// <summary>Starts one process by itself.</summary>
    public static Process StartAlone((string Name, string Value)[] environment, params string[] args) => Start("dotnet", ["exec", Tool, .. args], environment);

    /// <summary>Waits for a process and returns what it left.</summary>
    public static (int Code, string Output, string Error) Finish(Process process)
    {
        using (process)
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            if (!process.WaitForExit(TimeSpan.FromMinutes(1)))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail("processes that wait for each other: " + error.Result);
            }

            return (process.ExitCode, output.Result, error.Result);
        }
    }

    private static Process Start(string program, List<string> args, (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, args) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }
}
