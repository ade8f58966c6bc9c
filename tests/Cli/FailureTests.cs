using NUnit.Framework;
using Spk.Cli;
using Spk.Cli.Terminal;
using Spk.Interop;

namespace Spk.Tests.Cli;

/// <summary>How exceptions become sentences and exit codes.</summary>
public class FailureTests
{
    public static IEnumerable<TestCaseData> Kinds()
    {
        yield return new TestCaseData(new InvalidOptionException("a = 3: allowed are 1 and 2."), ExitCode.Usage, "error: a = 3: allowed are 1 and 2.");
        yield return new TestCaseData(new DataFormatException("x.wav is empty."), ExitCode.Failure, "error: x.wav is empty.");
        yield return new TestCaseData(new IOException("No space left on device"), ExitCode.Failure, "error: No space left on device");
        yield return new TestCaseData(new UnauthorizedAccessException("Access to the path '/x' is denied."), ExitCode.Failure, "denied. Check the permissions");
        yield return new TestCaseData(new AggregateException(new DataFormatException("inner.")), ExitCode.Failure, "error: inner.");
        yield return new TestCaseData(new DataFormatException("two\nlines"), ExitCode.Failure, "error: two lines");
        yield return new TestCaseData(new OperationCanceledException(), ExitCode.Interrupted, "error: Interrupted.");
        yield return new TestCaseData(new InvalidOperationException("odd"), ExitCode.Failure, "Unexpected InvalidOperationException: odd");
    }

    [TestCaseSource(nameof(Kinds))]
    public void Exceptions_become_one_line_and_a_code(Exception exception, int code, string text)
    {
        using var error = new StringWriter();
        using var interruption = new Interruption();
        Assert.That(Failure.Report(exception, error, verbose: false, interruption), Is.EqualTo(code));
        Assert.That(error.ToString().TrimEnd('\n').Split('\n'), Has.Length.EqualTo(1));
        Assert.That(error.ToString(), Does.Contain(text));
    }

    [Test]
    public void Verbose_adds_the_trace()
    {
        using var error = new StringWriter();
        using var interruption = new Interruption();
        Failure.Report(new DataFormatException("broken."), error, verbose: true, interruption);
        Assert.That(error.ToString(), Does.Contain(nameof(DataFormatException)));
    }

    [Test]
    public void The_exit_code_names_the_signal()
    {
        using var interruption = new Interruption();
        Assert.That(interruption.Token.IsCancellationRequested, Is.False);
        interruption.Raise(ExitCode.Terminated);
        using var error = new StringWriter();
        Assert.That(Failure.Report(new OperationCanceledException(), error, verbose: false, interruption), Is.EqualTo(143));
        Assert.That(interruption.Token.IsCancellationRequested, Is.True);
    }

    [Test]
    public void Cuda_without_a_driver_says_what_was_tried()
    {
        if (Engine.Devices.CudaProbe.Run().Found)
        {
            Assert.Ignore("skipped, optional: this machine has a CUDA driver");
        }

        var exception = Assert.Throws<DeviceUnavailableException>(() => Engine.Devices.Device.Open("cuda"));
        Assert.That(exception!.Message, Does.Contain("libcuda").And.Contain("--device cpu"));
    }
}
