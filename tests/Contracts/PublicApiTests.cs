using System.Reflection;
using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>The public surface of each package is a text file in tests/api, so that every change of it is a visible diff.</summary>
public class PublicApiTests
{
    [TestCase("Spk.Interop")]
    [TestCase("Spk.Engine")]
    [TestCase("Spk.Training")]
    public void Public_surface_is_the_recorded_one(string assembly)
    {
        string file = Repository.Path("tests", "api", assembly + ".txt");
        string[] now = [.. PublicApi.Describe(Assembly.Load(assembly))];
        if (Environment.GetEnvironmentVariable("SPK_UPDATE_API") == "1")
        {
            File.WriteAllText(file, string.Join('\n', now) + "\n");
            return;
        }

        string[] recorded = File.Exists(file) ? File.ReadAllLines(file) : [];
        var added = now.Except(recorded).Select(line => "+ " + line.Trim());
        var removed = recorded.Except(now).Select(line => "- " + line.Trim());
        string[] changes = [.. removed.Concat(added)];
        Assert.That(
            changes,
            Is.Empty,
            $"the public surface of {assembly} changed; if that is intended, run SPK_UPDATE_API=1 dotnet test tests --filter PublicApiTests and commit {file}");
        Assert.That(now, Is.EqualTo(recorded), "order or repetition differs; update as above");
    }
}
