using System.Reflection;
using NUnit.Framework;
using Spk.Engine.Devices;

namespace Spk.Tests.Devices;

/// <summary>Bodies of parallel loops are compiled by themselves, at once and without a profile.</summary>
public class HotLoopTests
{
    public static IEnumerable<TestCaseData> Bodies() =>
        typeof(IParallelBody).Assembly.GetTypes()
            .Where(type => type.IsValueType && typeof(IParallelBody).IsAssignableFrom(type))
            .Select(type => new TestCaseData(type).SetArgDisplayNames(type.FullName!.Split('.')[^1]));

    [TestCaseSource(nameof(Bodies))]
    public void A_body_is_compiled_alone(Type body)
    {
        var run = body.GetMethod(nameof(IParallelBody.Run), BindingFlags.Instance | BindingFlags.Public)!;
        var flags = run.MethodImplementationFlags;
        Assert.That(flags & (MethodImplAttributes.NoInlining | MethodImplAttributes.AggressiveOptimization),
            Is.EqualTo(MethodImplAttributes.NoInlining | MethodImplAttributes.AggressiveOptimization), "[MethodImpl(HotLoop.Options)]");
    }

    [Test]
    public void Bodies_are_found() => Assert.That(Bodies().Count(), Is.GreaterThan(90));
}
