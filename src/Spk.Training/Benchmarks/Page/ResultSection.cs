using System.Globalization;
using Spk.Interop;
using Spk.Training.Benchmarks.Scaling;

namespace Spk.Training.Benchmarks.Page;

/// <summary>What a folder of results holds: texts, runs of ours and of the peers, curves.</summary>
internal sealed class ResultSection
{
    private const string Intro = "intro.md", Notes = "notes.md", Ours = "ours-", Peers = "peers-", Scaling = "scaling";

    private ResultSection(string name, string intro, string? notes) => (Name, Introduction, Remarks) = (name, intro, notes);

    /// <summary>The folder's name without the number that orders it.</summary>
    public string Name { get; }

    /// <summary>The text above the tables, with the heading.</summary>
    public string Introduction { get; }

    /// <summary>The text below the tables; null for none.</summary>
    public string? Remarks { get; }

    /// <summary>Our runs: <c>ours-1.json</c> and so on, in this order.</summary>
    public List<(string Label, BenchmarkFile File)> Runs { get; } = [];

    /// <summary>The peers' runs: <c>peers-1.json</c> stands beside <c>ours-1.json</c>; a label that we have no run of is a run at another time.</summary>
    public List<(string Label, PeerResults Lines)> PeerRuns { get; } = [];

    /// <summary>Curves: <c>scaling.json</c>.</summary>
    public List<ScalingFile> Curves { get; } = [];

    /// <summary>Reads a folder.</summary>
    /// <exception cref="DataFormatException">A text is missing, or a file is none of those above.</exception>
    public static ResultSection Read(string folder)
    {
        string intro = Path.Combine(folder, Intro), notes = Path.Combine(folder, Notes);
        if (!File.Exists(intro))
        {
            throw new DataFormatException($"{intro}: there is no such file; it begins with the heading of the section.");
        }

        var section = new ResultSection(
            Path.GetFileName(folder).TrimStart([.. "0123456789-"]), File.ReadAllText(intro).Trim(), File.Exists(notes) ? File.ReadAllText(notes).Trim() : null);
        foreach (string path in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileNameWithoutExtension(path);
            if (name.StartsWith(Ours, StringComparison.Ordinal))
            {
                section.Runs.Add((name[Ours.Length..], BenchmarkFile.Read(path)));
            }
            else if (name.StartsWith(Peers, StringComparison.Ordinal))
            {
                section.PeerRuns.Add((name[Peers.Length..], PeerResults.Read(path)));
            }
            else if (name.StartsWith(Scaling, StringComparison.Ordinal))
            {
                section.Curves.Add(ScalingFile.Read(path));
            }
            else
            {
                throw new DataFormatException($"{path}: results are named ours-1.json, peers-1.json or scaling.json, with a number or a word for each run.");
            }
        }

        return section;
    }

    /// <summary>The threads of a run on a CPU; 0 where the file does not tell.</summary>
    public static int Threads(BenchmarkFile file) =>
        file.Machine.TryGetValue("threads", out string? text) && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int threads) ? threads : 0;
}
