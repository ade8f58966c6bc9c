using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Spk.Engine.Devices;
using Spk.Interop.Mpi;

namespace Spk.Cli.Verbs;

/// <summary>Says what this machine offers, what is missing and what to do next.</summary>
internal sealed class DoctorVerb() : Verb("doctor", "Show what this machine offers, what is missing, and the next step.")
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples => ["spk doctor", "spk doctor --json"];

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        var lines = new List<(string Name, string Value, string? Advice)>();
        string version = typeof(DoctorVerb).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
        lines.Add(("spk", version, null));
        lines.Add(("runtime", RuntimeInformation.FrameworkDescription, null));
        lines.Add(("system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}", null));

        string? slow = CpuDevice.InstructionSet == "scalar" ? "no vector instructions are used here: everything works, slowly" : null;
        lines.Add(("processors", $"{Environment.ProcessorCount}, {CpuDevice.InstructionSet}", slow));

        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20;
        lines.Add(("memory", $"{memory} MiB", memory < 2048 ? "training wants 2 GiB or more: use small batches" : null));

        foreach (var finding in CudaProbe.Report())
        {
            lines.Add((finding.Name, finding.Value, finding.Advice));
        }

        var mpi = new List<string>();
        MpiLibrary.IsInstalled(mpi);
        lines.Add(("mpi", string.Join("; ", mpi) + " (optional: several processes that train together)", null));

        bool ffmpeg = OnPath("ffmpeg");
        lines.Add(("audio files", $"WAV (PCM 8/16/24/32 bit, float) built in; ffmpeg {(ffmpeg ? "found" : "not found")}", ffmpeg
            ? "other formats: ffmpeg -i in.m4a -ac 1 -ar 16000 out.wav"
            : "other formats: install ffmpeg and convert them to 16 kHz mono WAV"));

        string? folderProblem = FolderProblem(Environment.CurrentDirectory);
        string free = FreeSpace(Environment.CurrentDirectory);
        lines.Add(("this folder", folderProblem is null ? $"writable, {free} free" : "not writable", folderProblem));

        string next = "spk demo";
        var json = new JsonObject { ["next"] = next };
        foreach (var (name, value, advice) in lines)
        {
            json[name] = advice is null ? new JsonObject { ["value"] = value } : new JsonObject { ["value"] = value, ["advice"] = advice };
        }

        context.Report(json, output =>
        {
            foreach (var (name, value, advice) in lines)
            {
                output.WriteLine($"{name,-12} {value}");
                if (advice is not null)
                {
                    output.WriteLine($"{"",-12} -> {advice}");
                }
            }

            output.WriteLine();
            output.WriteLine($"Next step: {next}");
        });
        return ExitCode.Ok;
    }

    private static bool OnPath(string program)
    {
        string file = OperatingSystem.IsWindows() ? program + ".exe" : program;
        string path = Environment.GetEnvironmentVariable("PATH") ?? "";
        return path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Any(folder => File.Exists(Path.Combine(folder, file)));
    }

    private static string? FolderProblem(string folder)
    {
        string probe = Path.Combine(folder, $".spk-doctor-{Environment.ProcessId}");
        try
        {
            File.WriteAllText(probe, "");
            File.Delete(probe);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"results cannot be written here ({e.Message}): give --out a folder you own";
        }
    }

    private static string FreeSpace(string folder)
    {
        try
        {
            return $"{new DriveInfo(folder).AvailableFreeSpace >> 30} GiB";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return "unknown space";
        }
    }
}
