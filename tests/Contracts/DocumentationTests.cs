using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>Examples in C# cannot rot: each one is the text of a test here, which is compiled and run.</summary>
public class DocumentationTests
{
    [Test]
    public void Examples_are_compiled_and_run_here()
    {
        string[] tests = [.. Directory.EnumerateFiles(Repository.Path("tests", "Contracts"), "*Example*.cs").Select(file => Unindented(File.ReadAllText(file)))];
        foreach (string page in new[] { "README.md" }.Concat(Sources.Files("docs", ".md").Concat(Sources.Files("samples", ".md")).Select(file => Path.GetRelativePath(Repository.Root, file))))
        {
            foreach (string example in Markdown.Blocks(page, "csharp"))
            {
                Assert.That(tests.Any(test => test.Contains(Unindented(example), StringComparison.Ordinal)), $"{page}: no test has this example:\n{example}");
            }
        }
    }

    [Test]
    public void Examples_of_the_clustering_page_are_short()
    {
        var tooLong = Markdown.Blocks("docs/clustering.md", "csharp").Where(example => example.Split('\n').Length > 12);
        Assert.That(tooLong, Is.Empty);
    }

    private static string Unindented(string text) => string.Join('\n', text.Split('\n').Select(line => line.TrimStart()));
}
