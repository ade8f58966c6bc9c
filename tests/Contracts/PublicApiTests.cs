using System.Reflection;
using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>The public surface of each package is a text file in tests/api, so that every change of it is a visible diff.</summary>
public class PublicApiTests
{
    private const int Shown = 40;

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
        string[] changes = [.. Qualified(recorded).Except(Qualified(now)).Select(line => "- " + line), .. Qualified(now).Except(Qualified(recorded)).Select(line => "+ " + line)];
        if (changes.Length > 0 || !now.SequenceEqual(recorded))
        {
            Assert.Fail(
                $"the public surface of {assembly} changed; if that is intended, run SPK_UPDATE_API=1 dotnet test tests --filter PublicApiTests and commit {file}\n"
                + string.Join('\n', changes.Take(Shown)) + (changes.Length > Shown ? $"\nand {changes.Length - Shown} more" : ""));
        }
    }

    // Members stand indented below their type: join the two, so that equal members of several types stay apart.
    private static IEnumerable<string> Qualified(string[] lines)
    {
        string type = "";
        foreach (string line in lines)
        {
            bool member = line.StartsWith(' ');
            type = member ? type : line;
            yield return member ? $"{type.Split(" : ")[0]}: {line.Trim()}" : line;
        }
    }
}
