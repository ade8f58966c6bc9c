using NUnit.Framework;
using Spk.Interop.Cuda;
using Spk.Tests.Support;

namespace Spk.Tests.Cuda;

/// <summary>The optional library: that looking for it never fails and says what was tried.</summary>
public class CublasTests
{
    [Test]
    public void Nothing_is_found_where_there_is_nothing()
    {
        using var chosen = new EnvironmentValue(Cublas.OverrideVariable, "/nowhere/libcublas.so.12");
        var trace = new List<string>();
        Assert.That(Cublas.Find(null, trace), Is.Null);
        Assert.That(trace, Is.EqualTo(["/nowhere/libcublas.so.12: not found"]));
    }

    [Test]
    public void Another_library_is_not_taken_for_it()
    {
        using var chosen = new EnvironmentValue(Cublas.OverrideVariable, Compilers.Any().Nvrtc.Path);
        var trace = new List<string>();
        Assert.That(Cublas.Find(null, trace), Is.Null);
        Assert.That(trace.Single(), Does.Contain("lacks functions"));
    }
}
