using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Spk.Cli.Verbs;
using Spk.Interop;
using Spk.Training.Benchmarks;

namespace Spk.Cli;

/// <summary>
/// Times cases in a process of their own. In some processes a case was slower in all its calls, for a reason that is not known (decision 17): who repeats a
/// measurement in the same process only repeats that.
/// </summary>
internal static class BenchProcess
{
    private const string ErrorMark = "error: ";

    /// <summary>Times.</summary>
    /// <param name="options">What, where, how long.</param>
    /// <param name="ceilings">What the device can do at most; null where unknown.</param>
    /// <param name="report">Hears each result as it comes.</param>
    /// <param name="remark">Hears what the process had to say at its end, such as which cases it could not run.</param>
    /// <param name="stop">Ends the process.</param>
    /// <returns>The results.</returns>
    /// <exception cref="SpkException">The process failed.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static IReadOnlyList<BenchmarkResult> Measure(
        BenchmarkOptions options, MachineCeilings? ceilings, Action<BenchmarkResult> report, Action<string> remark, CancellationToken stop)
    {
        using var process = Start(options);
        using var ending = stop.Register(process.Kill);
        var remarks = process.StandardError.ReadToEndAsync(CancellationToken.None); // At the same time: a full pipe would make the process wait.
        var results = new List<BenchmarkResult>();
        try
        {
            while (process.StandardOutput.ReadLine() is { } line)
            {
                results.Add(Read(line).WithBound(ceilings));
                report(results[^1]);
            }

            process.WaitForExit();
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(); // What failed here must not leave it at work.
            }
        }

        stop.ThrowIfCancellationRequested();
        if (process.ExitCode is ExitCode.Interrupted or ExitCode.Terminated)
        {
            throw new OperationCanceledException(); // The signal reached that process first.
        }

        string[] said = remarks.GetAwaiter().GetResult().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (process.ExitCode != ExitCode.Ok)
        {
            string why = said.LastOrDefault(line => line.StartsWith(ErrorMark, StringComparison.Ordinal))?[ErrorMark.Length..]
                ?? "it gave no reason, and may have been killed: try again with more memory free.";
            throw new SpkException($"The process that repeats measurements ended with exit code {process.ExitCode}: {why}");
        }

        Array.ForEach(said, remark);
        return results;
    }

    private static BenchmarkResult Read(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return BenchmarkResult.FromJson(json.RootElement);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new SpkException($"The process that repeats measurements printed '{line}' in place of a result: something else writes to its standard output.", e);
        }
    }

    private static Process Start(BenchmarkOptions options)
    {
        var start = new ProcessStartInfo { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };

        // The program itself where it is one file, or the tool's own; else the runtime's or a test's host loaded the tool.
        string host = Environment.ProcessPath ?? "", tool = typeof(BenchProcess).Assembly.Location;
        if (tool.Length == 0 || Path.GetFileNameWithoutExtension(host) == "spk")
        {
            start.FileName = host;
        }
        else
        {
            start.FileName = Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet";
            start.ArgumentList.Add("exec");
            start.ArgumentList.Add(tool);
        }

        foreach (string word in BenchOptions.Typed(options).Prepend("worker").Prepend("bench"))
        {
            start.ArgumentList.Add(word);
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new SpkException($"{start.FileName}: cannot be started to repeat measurements in a process of its own ({e.Message}).", e);
        }
    }
}
