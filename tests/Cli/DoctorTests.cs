using NUnit.Framework;

namespace Spk.Tests.Cli;

public class DoctorTests
{
    [Test]
    public void Says_what_is_there_and_what_comes_next()
    {
        var run = CommandLine.Run("doctor");
        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Output, Does.Contain("processors").And.Contain("cuda").And.Contain("Next step: spk demo"));
        Assert.That(run.Error, Is.Empty);
    }

    [Test]
    public void Json_is_one_object()
    {
        var json = CommandLine.Run("doctor", "--json").Json;
        Assert.That(json.GetProperty("next").GetString(), Is.EqualTo("spk demo"));
        Assert.That(json.GetProperty("processors").GetProperty("value").GetString(), Does.Contain(Environment.ProcessorCount.ToString()));
    }
}
