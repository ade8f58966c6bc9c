using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>The files a person wrote: everything but build output and data.</summary>
internal static class Sources
{
    private static readonly string[] Skipped = ["bin", "obj", ".git", "artifacts", "runs", "TestResults", "BenchmarkDotNet.Artifacts"];

    public static IEnumerable<string> Files(string folder, params string[] extensions)
    {
        string start = Repository.Path(folder);
        return !Directory.Exists(start) ? [] : Walk(start).Where(file => extensions.Contains(Path.GetExtension(file)));
    }

    private static IEnumerable<string> Walk(string folder) =>
        Directory.EnumerateFiles(folder).Concat(
            Directory.EnumerateDirectories(folder).Where(sub => !Skipped.Contains(Path.GetFileName(sub))).SelectMany(Walk));
}
