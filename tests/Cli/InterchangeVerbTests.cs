using NUnit.Framework;
using Spk.Cli;
using Spk.Tests.Support;

namespace Spk.Tests.Cli;

public class InterchangeVerbTests
{
    [Test]
    public void Export_writes_a_run_and_refuses_what_it_cannot_write()
    {
        using var folder = new TemporaryFolder();
        string onnx = folder.At("run.onnx"), model = folder.At("run.safetensors");
        var run = CommandLine.Run("export", TinyRun.Run, "--onnx", onnx, "--safetensors", model, "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(OnnxModel.Read(onnx).Metadata["identity"], Is.EqualTo(run.Json.GetProperty("identity").GetString()));
        Assert.That(CommandLine.Run("export", model, "--onnx", onnx, "--json").Json.GetProperty("identity").GetString(), Is.EqualTo(run.Json.GetProperty("identity").GetString()));
        CommandLine.Run("export", TinyRun.Run).AssertRefused(ExitCode.Usage, "--onnx", "--safetensors");
        CommandLine.Run("export", "nowhere", "--onnx", onnx).AssertRefused(ExitCode.Failure, "nowhere");
        CommandLine.Run("import", model, "--from", "sslsv", "--encoder", "tdnn", "--out", folder.At("x")).AssertRefused(ExitCode.Failure, "blocks.0.conv.weight");
        CommandLine.Run("import", model, "--from", "kaldi", "--encoder", "tdnn", "--out", folder.At("x")).AssertRefused(ExitCode.Usage, "sslsv or wespeaker");
    }
}
