using System.Globalization;
using System.Text;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Benchmarks.Scaling;
using Spk.Training.Reports;

namespace Spk.Training.Benchmarks.Page;

/// <summary>
/// The page of benchmarks, made of a folder of results. In the order of their names, a file <c>*.md</c> is taken as it is, and a folder becomes
/// a section: <c>intro.md</c>, the machine and the tables of <c>ours-N.json</c> beside <c>peers-N.json</c>, the curves of <c>scaling.json</c>,
/// <c>notes.md</c>. The folder's own <c>README.md</c> is left out.
/// </summary>
/// <param name="Markdown">The page.</param>
/// <param name="Drawings">SVG files by their name in the page's folder of drawings.</param>
public sealed record BenchmarkPage(string Markdown, IReadOnlyDictionary<string, string> Drawings)
{
    private const string Remark = "<!-- Made of bench/Results by `spk bench report`: change what is there, not this page. -->";

    /// <summary>Makes the page.</summary>
    /// <param name="results">The folder of results.</param>
    /// <param name="drawings">The folder of the drawings, as the page names it.</param>
    /// <exception cref="DataFormatException">The folder is missing or empty, or a file in it cannot be read.</exception>
    public static BenchmarkPage Make(string results, string drawings)
    {
        if (!Directory.Exists(results))
        {
            throw new DataFormatException($"{results}: there is no such folder of results.");
        }

        var text = new StringBuilder(Remark).Append("\n\n");
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        string[] entries = [.. Directory.EnumerateFileSystemEntries(results).Where(IsPart).OrderBy(Path.GetFileName, StringComparer.Ordinal)];
        if (entries.Length == 0)
        {
            throw new DataFormatException($"{results}: holds no texts and no folders of results.");
        }

        foreach (string entry in entries)
        {
            if (File.Exists(entry))
            {
                text.Append(File.ReadAllText(entry).Trim()).Append("\n\n");
            }
            else
            {
                Append(text, ResultSection.Read(entry), drawings, files);
            }
        }

        return new BenchmarkPage(text.ToString().TrimEnd() + "\n", files);
    }

    /// <summary>Writes the page, and its drawings into the folder of its name.</summary>
    /// <param name="results">The folder of results.</param>
    /// <param name="path">The page, a Markdown file.</param>
    /// <returns>The page.</returns>
    /// <exception cref="SpkException">Something cannot be read or written.</exception>
    public static BenchmarkPage Write(string results, string path)
    {
        string name = Path.GetFileNameWithoutExtension(path), folder = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, name);
        var page = Make(results, name);
        if (page.Drawings.Count > 0)
        {
            Directory.CreateDirectory(folder);
        }

        foreach (var (file, drawing) in page.Drawings)
        {
            AtomicFile.WriteText(Path.Combine(folder, file), drawing);
        }

        AtomicFile.WriteText(path, page.Markdown);
        return page;
    }

    private static bool IsPart(string entry) =>
        Directory.Exists(entry) || (Path.GetExtension(entry) == ".md" && !Path.GetFileName(entry).Equals("README.md", StringComparison.OrdinalIgnoreCase));

    private static void Append(StringBuilder text, ResultSection section, string drawings, Dictionary<string, string> files)
    {
        text.Append(section.Introduction).Append("\n\n");
        if (section.Runs.Count == 0 && section.Curves.Count == 0)
        {
            text.Append("Not measured yet.\n\n");
        }

        ResultTables.Machine(text, section);
        ResultTables.Peers(text, section);
        ResultTables.All(text, section);
        foreach (var file in section.Curves)
        {
            ResultTables.Curves(text, file);
            foreach (var curve in file.Curves.Where(c => c.Points.Count > 1))
            {
                string name = $"{section.Name}-{curve.Name}.svg";
                files[name] = Plot.AsFile(ScalingPlot.Time(curve));
                text.Append(CultureInfo.InvariantCulture, $"![{curve.Name}: time by {curve.SizeName}]({drawings}/{name})\n");
            }

            text.Append('\n');
        }

        if (section.Remarks is { } remarks)
        {
            text.Append(remarks).Append("\n\n");
        }
    }
}
