using System.Text.Json;
using NUnit.Framework;
using Spk.Cli;
using Spk.Cli.Terminal;

namespace Spk.Tests.Cli;

/// <summary>Runs the tool in-process and keeps what it printed.</summary>
internal sealed record CommandLine(int Code, string Output, string Error)
{
    public static CommandLine Run(params string[] args) => Run(null, args);

    public static CommandLine Run(Interruption? interruption, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = SpkCommand.Invoke(args, output, error, interruption);
        return new CommandLine(code, output.ToString(), error.ToString());
    }

    /// <summary>The one JSON object on standard output.</summary>
    public JsonElement Json
    {
        get
        {
            using var document = JsonDocument.Parse(Output);
            Assert.That(document.RootElement.ValueKind, Is.EqualTo(JsonValueKind.Object));
            return document.RootElement.Clone();
        }
    }

    /// <summary>One sentence on the error stream, nothing on the other, no stack trace, and the right code.</summary>
    public void AssertRefused(int code, params string[] words)
    {
        string[] lines = Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] errors = [.. lines.Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
        Assert.Multiple(() =>
        {
            Assert.That(Code, Is.EqualTo(code), Error);
            Assert.That(errors, Has.Length.EqualTo(1), Error);
            Assert.That(lines[^1], Does.StartWith("error: "), Error);
            Assert.That(Error, Does.Not.Contain("   at ").And.Not.Contain("Exception"));
            Assert.That(Error, Does.Not.Contain("defect of spk"));
            foreach (string word in words)
            {
                Assert.That(lines[^1], Does.Contain(word));
            }
        });
    }
}
