using System.Diagnostics;
using NUnit.Framework;

namespace Spk.Tests.Numerics;

/// <summary>Code that has a route for an instruction set, once more in a process that does without it.</summary>
[Category("Slow")]
public sealed class InstructionSetTests
{
    private static readonly string[] Fixtures = [nameof(LanesTests), nameof(LaneFftTests), nameof(RealFftTests), nameof(Ops.Features.FbankLanesTests)];

    [TestCase("DOTNET_EnableAVX512")]
    [TestCase("DOTNET_EnableAVX2")]
    [TestCase("DOTNET_EnableHWIntrinsic")]
    public void Tests_pass_without_the_instructions(string variable)
    {
        string filter = string.Join("|", Fixtures.Select(fixture => $"FullyQualifiedName~.{fixture}."));
        string[] arguments = ["vstest", Path.Combine(TestContext.CurrentContext.TestDirectory, "Spk.Tests.dll"), $"--TestCaseFilter:{filter}"];
        var start = new ProcessStartInfo("dotnet", arguments) { UseShellExecute = false, RedirectStandardOutput = true };
        start.Environment[variable] = "0";
        using var process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();

        Assert.That(process.ExitCode, Is.Zero, output);
        Assert.That(output, Does.Contain("Passed:"), "no test ran");
    }
}
