using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Tests.Contracts;
using Spk.Tests.Support;

namespace Spk.Tests.Ops;

/// <summary>
/// Every op on CUDA against the same op on the CPU: results and all gradients, ragged sizes, and the same bits in a second run.
/// </summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class ParityTests(TestDevice on)
{
    public static IEnumerable<TestCaseData> Cases() => ParityCases.All.Select(c => new TestCaseData(c).SetArgDisplayNames(c.Name));

    [TestCaseSource(nameof(Cases))]
    [Category("Sanitized")]
    public void Cuda_equals_the_cpu(ParityCase one)
    {
        using var cpu = TestDevice.Cpu.Open();
        using var cuda = on.Open();
        var (want, got) = (one.Run(cpu), one.Run(cuda));
        Assert.That(got, Has.Length.EqualTo(want.Length));
        double largestOfAll = want.SelectMany(values => values).Max(v => Math.Abs((double)v));
        for (int i = 0; i < want.Length; i++)
        {
            double largest = want[i].Select(v => (double)Math.Abs(v)).DefaultIfEmpty(0).Max();
            Assert.That(largest, Is.Positive, "a result of zeros proves nothing");
            // A gradient that is 0 but for rounding (a bias before a softmax) is held against the size of what it was summed from.
            Close.Assert(got[i], want[i], one.RelativeLimit * Math.Max(largest, 0.1 * largestOfAll), $"{one.Name}, result {i}");
        }

        cuda.Workspace.Reset();
        Assert.That(one.Run(cuda), Is.EqualTo(got), "a second run gives the same bits");
    }

    [Test]
    public void Every_op_is_compared()
    {
        var compared = ParityCases.All.Select(c => c.Name.Split(' ')[0]).ToHashSet();
        Assert.That(OpHomeTests.DoneOps().Select(op => (string)op.Arguments[1]!).Except(compared), Is.Empty);
    }
}

/// <summary>One op at one size.</summary>
/// <param name="Name">The op, then what is special.</param>
/// <param name="RelativeLimit">Of the largest magnitude of each result.</param>
/// <param name="Run">Gives results and gradients.</param>
public sealed record ParityCase(string Name, double RelativeLimit, Func<Device, float[][]> Run);
