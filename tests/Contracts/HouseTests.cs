using System.Text.RegularExpressions;
using System.Xml.Linq;
using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>Rules of the house that a reviewer would otherwise have to remember.</summary>
public partial class HouseTests
{
    [Test]
    public void Nothing_is_left_for_later_in_the_sources()
    {
        // Spelt in halves, so that this file passes its own test.
        string[] words = ["TO" + "DO", "FIX" + "ME", "HA" + "CK:"];
        var found = Sources.Files(".", ".cs", ".sh", ".csproj", ".props", ".yaml", ".md")
            .SelectMany(file => File.ReadLines(file).Select((line, i) => (file, line, number: i + 1)))
            .Where(x => words.Any(word => x.line.Contains(word, StringComparison.Ordinal)))
            .Select(x => $"{Path.GetRelativePath(Repository.Root, x.file)}:{x.number}");
        Assert.That(found, Is.Empty);
    }

    [Test]
    public void Package_versions_live_in_one_file_only()
    {
        // Samples are applications outside of the build; SampleTests holds their version to that of the packages.
        string samples = Repository.Path("samples") + Path.DirectorySeparatorChar;
        var offenders = Sources.Files(".", ".csproj").Where(file => !Path.GetFullPath(file).StartsWith(samples, StringComparison.Ordinal) && XDocument.Load(file).Descendants("PackageReference")
            .Any(e => e.Attribute("Version") is not null || e.Attribute("VersionOverride") is not null));
        Assert.That(offenders, Is.Empty, "versions belong in Directory.Packages.props");
    }

    [Test]
    public void Package_versions_are_exact()
    {
        var versions = XDocument.Load(Repository.Path("Directory.Packages.props")).Descendants("PackageVersion")
            .Select(e => $"{e.Attribute("Include")!.Value} {e.Attribute("Version")!.Value}").ToArray();
        Assert.That(versions, Is.Not.Empty);
        Assert.That(versions, Is.All.Match(@"^\S+ \d+\.\d+\.\d+$"));
    }

    [Test]
    public void Packages_are_the_four_named_ones()
    {
        var ids = Sources.Files(".", ".csproj").Select(XDocument.Load)
            .Where(project => project.Descendants("IsPackable").Any(e => e.Value == "true"))
            .Select(project => project.Descendants("PackageId").Single().Value);
        Assert.That(ids, Is.EquivalentTo(["Spk.Interop", "Spk.Engine", "Spk.Training", "Spk.Cli"]));
    }

    [Test]
    public void Documents_link_to_files_that_exist()
    {
        var broken = from file in Sources.Files(".", ".md")
                     from Match match in MarkdownLink().Matches(File.ReadAllText(file))
                     let target = match.Groups[1].Value.Split('#')[0]
                     where target.Length > 0 && !target.Contains("://", StringComparison.Ordinal)
                     where !Path.Exists(Path.GetFullPath(target, Path.GetDirectoryName(file)!))
                     select $"{Path.GetRelativePath(Repository.Root, file)}: {target}";
        Assert.That(broken, Is.Empty);
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex MarkdownLink();
}
