using System.Reflection;
using NUnit.Framework.Api;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;
using Spk.Tests.Support;

namespace Spk.GpuBundle;

/// <summary>
/// Runs the NUnit tests of the op fixtures on the GPU, in this process and without a test host: NUnit's framework assembly
/// brings its own runner.
/// </summary>
internal static class TestRun
{
    private const string Usage = "usage: spk-gpu tests [TEXT]   runs the tests whose full name contains TEXT (default: cuda)";

    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length > 1 || arguments is ["--help"])
        {
            Console.WriteLine(Usage);
            return arguments is ["--help"] ? 0 : 2;
        }

        var runner = new NUnitTestAssemblyRunner(new DefaultTestAssemblyBuilder());
        runner.Load(Assembly.GetAssembly(typeof(TestDevice))!, new Dictionary<string, object> { ["NumberOfTestWorkers"] = 0 });
        var listener = new Listener();
        runner.Run(listener, new NameFilter(arguments.IsEmpty ? "cuda" : arguments[0]));
        Console.WriteLine($"{listener.Passed} passed, {listener.Failed} failed, {listener.Skipped} skipped");
        return listener.Failed == 0 && listener.Passed > 0 ? 0 : 1;
    }

    private sealed class NameFilter(string text) : TestFilter
    {
        public override bool Match(ITest test) => !test.IsSuite && test.FullName.Contains(text, StringComparison.OrdinalIgnoreCase);

        public override bool Pass(ITest test, bool negated) => Match(test) || test.Tests.Any(t => Pass(t, negated));

        public override bool IsExplicitMatch(ITest test) => false;

        public override TNode AddToXml(TNode parentNode, bool recursive) => parentNode.AddElement("filter", text);
    }

    private sealed class Listener : ITestListener
    {
        public int Passed { get; private set; }

        public int Failed { get; private set; }

        public int Skipped { get; private set; }

        public void TestStarted(ITest test) { }

        public void TestFinished(ITestResult result)
        {
            if (result.Test.IsSuite)
            {
                return;
            }

            switch (result.ResultState.Status)
            {
                case TestStatus.Passed:
                    Passed++;
                    break;
                case TestStatus.Failed:
                    Failed++;
                    Console.WriteLine($"FAILED {result.FullName}\n{result.Message}\n{result.StackTrace}");
                    break;
                default:
                    Skipped++;
                    Console.WriteLine($"skipped {result.FullName}: {result.Message}");
                    break;
            }
        }

        public void TestOutput(TestOutput output) => Console.Write(output.Text);

        public void SendMessage(TestMessage message) => Console.WriteLine(message.Message);
    }
}
