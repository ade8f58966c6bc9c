using System.Xml.Linq;
using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>Samples stand where a user stands: they know the package and nothing of the repository. samples/try.sh builds and runs them.</summary>
public class SampleTests
{
    private static string[] Projects { get; } = [.. Sources.Files("samples", ".csproj")];

    [Test]
    public void Use_the_package_of_this_version_and_no_project()
    {
        string version = XDocument.Load(Repository.Path("Directory.Build.props")).Descendants("Version").Single().Value;
        Assert.That(Projects, Is.Not.Empty);
        foreach (string file in Projects)
        {
            var project = XDocument.Load(file);
            var packages = project.Descendants("PackageReference").Select(e => $"{e.Attribute("Include")!.Value} {e.Attribute("Version")!.Value}");
            Assert.That(packages, Is.EqualTo([$"Spk.Engine {version}"]), file);
            Assert.That(project.Descendants("ProjectReference"), Is.Empty, file);
        }
    }

    [Test]
    public void Are_no_part_of_the_build_and_inherit_nothing_from_it()
    {
        Assert.That(File.ReadAllText(Repository.Path("Spk.slnx")), Does.Not.Contain("samples/"));
        foreach (string name in new[] { "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props" })
        {
            Assert.That(XDocument.Load(Repository.Path("samples", name)).Root!.Elements(), Is.Empty, name);
        }
    }

    [Test]
    public void Are_all_tried()
    {
        string script = File.ReadAllText(Repository.Path("samples", "try.sh"));
        Assert.That(Projects.Select(Path.GetFileNameWithoutExtension), Is.All.Matches<string>(name => script.Contains($"{name}/bin", StringComparison.Ordinal) || script.Contains($"serve {name}", StringComparison.Ordinal)));
        Assert.That(File.ReadAllText(Repository.Path(".ci", "run")), Does.Contain("samples/try.sh"));
    }
}
