using System.Globalization;
using System.Text;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>The utterances of a corpus, in the order listed (folder trees: by id).</summary>
public sealed class Manifest
{
    /// <summary>A manifest made in memory.</summary>
    /// <param name="utterances">At least one, with distinct ids.</param>
    /// <param name="source">Where they come from, for messages.</param>
    /// <exception cref="DataFormatException">There is none, or two share an id.</exception>
    public Manifest(IEnumerable<Utterance> utterances, string source = "the manifest")
        : this(source, [.. utterances])
    {
        var problems = new List<DataProblem>();
        ManifestReader.CheckUnique(Utterances, source, problems);
        ThrowFirst(problems);
    }

    private Manifest(string source, IReadOnlyList<Utterance> utterances)
    {
        Source = source;
        Utterances = utterances;
    }

    /// <summary>The file or folder it was read from.</summary>
    public string Source { get; }

    /// <summary>All utterances.</summary>
    public IReadOnlyList<Utterance> Utterances { get; }

    /// <summary>The distinct speaker labels, in ordinal order.</summary>
    public IReadOnlyList<string> Speakers =>
        [.. Utterances.Select(u => u.Speaker).OfType<string>().Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Reads a manifest; the audio files themselves are not touched.</summary>
    /// <param name="path">CSV file, Kaldi directory or root of a folder tree.</param>
    /// <param name="root">Folder that relative paths start from; null for the manifest's own folder.</param>
    /// <param name="format">How to read it.</param>
    /// <returns>At least one utterance with distinct ids.</returns>
    /// <exception cref="DataFormatException">
    /// The manifest is missing, empty, malformed, lacks its path column, or lists an id twice; the message names file and line.
    /// </exception>
    public static Manifest Load(string path, string? root = null, ManifestFormat format = ManifestFormat.Auto)
    {
        var problems = new List<DataProblem>();
        var utterances = ManifestReader.Read(path, root, format, problems);
        ThrowFirst(problems);
        return new Manifest(path, utterances);
    }

    /// <summary>The utterances that pass a test, as a manifest of their own.</summary>
    /// <param name="keep">Says which to keep.</param>
    /// <exception cref="DataFormatException">None passes.</exception>
    public Manifest Where(Func<Utterance, bool> keep)
    {
        var kept = Utterances.Where(keep).ToArray();
        return kept.Length > 0
            ? new Manifest(Source, kept)
            : throw new DataFormatException($"None of the {Utterances.Count} utterances of {Source} is left after filtering: loosen the filter.");
    }

    /// <summary>Writes CSV with the columns path, speaker, session and duration_s; ids are written as paths.</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public void WriteCsv(string path)
    {
        var text = new StringBuilder("path,speaker,session,duration_s\n");
        foreach (var utterance in Utterances)
        {
            text.Append(CsvReader.Escape(utterance.Id)).Append(',')
                .Append(CsvReader.Escape(utterance.Speaker)).Append(',')
                .Append(CsvReader.Escape(utterance.Session)).Append(',')
                .Append(utterance.DurationSeconds?.ToString("F3", CultureInfo.InvariantCulture)).Append('\n');
        }

        AtomicFile.WriteText(path, text.ToString());
    }

    private static void ThrowFirst(List<DataProblem> problems)
    {
        if (problems.Count > 0)
        {
            string more = problems.Count == 1 ? "" : $" ({problems.Count - 1} more problems; `spk data check` lists them all)";
            throw new DataFormatException(problems[0].Message + more);
        }
    }
}
