using System.Reflection;
using System.Xml.Linq;
using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>Interop ← Engine ← Training ← Cli: in the projects, in the binaries, and in what they use.</summary>
public class DependencyTests
{
    private static readonly string[] Order = ["Spk.Interop", "Spk.Engine", "Spk.Training", "spk"];

    private static readonly string[] Projects =
    [
        "engine/Interop/Spk.Interop.csproj",
        "src/Spk.Engine/Spk.Engine.csproj",
        "src/Spk.Training/Spk.Training.csproj",
        "src/Spk.Cli/Spk.Cli.csproj",
    ];

    [Test]
    public void Assemblies_reference_only_what_lies_below([Range(0, 3)] int level)
    {
        var above = Assembly.Load(Order[level]).GetReferencedAssemblies().Select(a => a.Name).Intersect(Order.Skip(level));
        Assert.That(above, Is.Empty, $"{Order[level]} must not know these");
    }

    [Test]
    public void Projects_reference_exactly_the_one_below([Range(0, 3)] int level)
    {
        string project = Repository.Path(Projects[level]);
        var references = XDocument.Load(project).Descendants("ProjectReference")
            .Select(e => Path.GetFullPath(e.Attribute("Include")!.Value, Path.GetDirectoryName(project)!));
        string[] wanted = level == 0 ? [] : [Repository.Path(Projects[level - 1])];
        Assert.That(references, Is.EqualTo(wanted));
    }

    [TestCase("Spk.Interop")]
    [TestCase("Spk.Engine")]
    [TestCase("Spk.Training")]
    public void Libraries_never_write_to_the_console(string assembly)
    {
        var references = Assembly.Load(assembly).GetReferencedAssemblies().Select(a => a.Name);
        Assert.That(references, Has.None.EqualTo("System.Console").And.None.EqualTo("Spectre.Console"));
    }

    [Test]
    public void The_engine_uses_no_reflective_serializer()
    {
        var sources = Sources.Files("src/Spk.Engine", ".cs").Where(file => File.ReadAllText(file) is var text
            && (text.Contains("using System.Reflection;", StringComparison.Ordinal) || text.Contains("Activator.", StringComparison.Ordinal)));
        Assert.That(sources, Is.Empty);
    }
}
