using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spk.Cli.Terminal;

namespace Spk.Cli;

/// <summary>What a verb needs from its surroundings: streams, global options, the stop signal.</summary>
internal sealed class CommandContext(ParseResult options, TextWriter output, TextWriter error, Interruption interruption)
{
    // Figures, ids and paths are read by people too: é and + stay as they are.
    private static readonly JsonSerializerOptions JsonFormat = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Results only.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>Progress, remarks and errors.</summary>
    public TextWriter Error { get; } = error;

    public bool Json { get; } = options.GetValue(GlobalOptions.Json);

    public bool Quiet { get; } = options.GetValue(GlobalOptions.Quiet);

    public bool Verbose { get; } = options.GetValue(GlobalOptions.Verbose);

    public string Device { get; } = options.GetValue(GlobalOptions.Device) ?? "auto";

    public int Threads { get; } = options.GetValue(GlobalOptions.Threads);

    /// <summary>Set by Ctrl+C or SIGTERM; long work watches it.</summary>
    public CancellationToken Stop { get; } = interruption.Token;

    public Interruption Interruption { get; } = interruption;

    /// <summary>A line about what is going on; silent with --quiet.</summary>
    public void Note(string line)
    {
        if (!Quiet)
        {
            Error.WriteLine(line);
        }
    }

    /// <summary>Prints the result in the form asked for: one JSON object, or text.</summary>
    public void Report(JsonObject json, Action<TextWriter> text)
    {
        if (Json)
        {
            Output.WriteLine(json.ToJsonString(JsonFormat));
        }
        else
        {
            text(Output);
        }

        Output.Flush();
    }

    /// <summary>Opens the device of --device and --threads and says which it is.</summary>
    /// <param name="threads">CPU threads where --threads leaves the choice; 0 for all.</param>
    public Engine.Devices.Device OpenDevice(int threads = 0)
    {
        var device = LaunchedProcesses.OpenDevice(Device, Threads == 0 ? threads : Threads, out string reason);
        if (Verbose)
        {
            Note($"device: {device.Name} ({reason})");
        }

        return device;
    }
}
