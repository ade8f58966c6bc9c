using System.Globalization;
using System.Text;
using Spk.Engine.Audio;

namespace Spk.Training.Data;

/// <summary>Reads every manifest format and collects what is wrong instead of stopping at the first fault.</summary>
internal static class ManifestReader
{
    /// <summary>Reads what can be read; a sound manifest adds no problem.</summary>
    public static List<Utterance> Read(string path, string? root, ManifestFormat format, List<DataProblem> problems)
    {
        var utterances = new List<Utterance>();
        int before = problems.Count;
        try
        {
            if (format == ManifestFormat.Auto)
            {
                format = Recognize(path);
            }

            switch (format)
            {
                case ManifestFormat.Tree:
                    ReadTree(path, root, utterances);
                    break;
                case ManifestFormat.Kaldi:
                    KaldiDirectory.Read(path, root, utterances, problems);
                    break;
                default:
                    ReadCsv(path, root, format, utterances, problems);
                    break;
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            problems.Add(new(DataProblemKind.Missing, path, $"The manifest {path} does not exist: check the path and the data root."));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add(new(DataProblemKind.MalformedList, path, $"The manifest {path} cannot be read: {e.Message}"));
        }

        if (utterances.Count == 0 && problems.Count == before)
        {
            string fix = format == ManifestFormat.Tree ? "no .wav file is below that folder" : "there is nothing after the header";
            problems.Add(new(DataProblemKind.EmptyManifest, path, $"The manifest {path} lists no utterance: {fix}."));
        }

        CheckUnique(utterances, path, problems);
        return utterances;
    }

    /// <summary>Adds a problem for every id listed more than once, or for an empty list.</summary>
    public static void CheckUnique(IReadOnlyList<Utterance> utterances, string source, List<DataProblem> problems)
    {
        if (utterances.Count == 0 && problems.Count == 0)
        {
            problems.Add(new(DataProblemKind.EmptyManifest, source, $"{source} lists no utterance."));
        }

        var seen = new Dictionary<string, int>(utterances.Count, StringComparer.Ordinal);
        for (int i = 0; i < utterances.Count; i++)
        {
            string id = utterances[i].Id;
            if (!seen.TryAdd(id, i))
            {
                problems.Add(new(
                    DataProblemKind.DuplicateId, id, $"{source} lists the utterance '{id}' twice (entries {seen[id] + 1} and {i + 1}): every id must be unique."));
            }
        }
    }

    /// <summary>Text of a list file; a byte-order mark is dropped.</summary>
    public static string ReadText(string path) => File.ReadAllText(path, Encoding.UTF8);

    /// <summary>A relative path in the form of an id.</summary>
    public static string ToId(string relative)
    {
        string id = relative.Replace('\\', '/');
        return id.StartsWith("./", StringComparison.Ordinal) ? id[2..] : id;
    }

    private static ManifestFormat Recognize(string path) =>
        !Directory.Exists(path) ? ManifestFormat.Csv
        : File.Exists(Path.Combine(path, "wav.scp")) ? ManifestFormat.Kaldi
        : ManifestFormat.Tree;

    private static void ReadTree(string path, string? root, List<Utterance> utterances)
    {
        string top = Path.GetFullPath(path);
        string idRoot = root is null ? top : Path.GetFullPath(root);
        foreach (string file in Directory.EnumerateFiles(top, "*", SearchOption.AllDirectories).Where(AudioFormats.IsAudio))
        {
            string[] parts = Path.GetRelativePath(top, file).Split(Path.DirectorySeparatorChar);
            string? session = parts.Length > 2 ? string.Join('/', parts[1..^1]) : null;
            utterances.Add(new Utterance(ToId(Path.GetRelativePath(idRoot, file)), file, parts.Length > 1 ? parts[0] : null, session));
        }

        // The order of a directory listing is the file system's own; sorting makes it the same everywhere.
        utterances.Sort((a, b) => string.CompareOrdinal(a.Id, b.Id));
    }

    private static void ReadCsv(string path, string? root, ManifestFormat format, List<Utterance> utterances, List<DataProblem> problems)
    {
        var records = CsvReader.Read(ReadText(path), out int unclosed);
        if (unclosed > 0)
        {
            problems.Add(Malformed(path, unclosed, "a quote is opened and never closed"));
            return;
        }

        if (records.Count == 0)
        {
            problems.Add(new(DataProblemKind.EmptyManifest, path, $"The manifest {path} is empty: it needs a header such as path,speaker,session,duration_s."));
            return;
        }

        var columns = Columns.Find(records[0].Fields, format);
        if (columns.Path < 0)
        {
            string wanted = format == ManifestFormat.Sslsv ? "File,Speaker" : "path[,speaker,session,duration_s] or File,Speaker";
            problems.Add(Malformed(path, records[0].Line, $"the header is '{string.Join(',', records[0].Fields)}' and has no path column; wanted is {wanted}"));
            return;
        }

        string idRoot = Path.GetFullPath(root ?? Path.GetDirectoryName(Path.GetFullPath(path))!);
        int width = records[0].Fields.Count;
        foreach (var record in records.Skip(1))
        {
            if (record.Fields.Count != width)
            {
                problems.Add(Malformed(path, record.Line, $"{record.Fields.Count} fields where the header has {width}"));
            }
            else
            {
                AddRow(path, idRoot, record, columns, utterances, problems);
            }
        }
    }

    private static void AddRow(
        string path, string idRoot, CsvReader.Record record, Columns columns, List<Utterance> utterances, List<DataProblem> problems)
    {
        string? Field(int column) => column >= 0 && record.Fields[column].Trim() is { Length: > 0 } text ? text : null;

        if (Field(columns.Path) is not { } file)
        {
            problems.Add(Malformed(path, record.Line, "the path is empty"));
            return;
        }

        double? duration = null;
        if (Field(columns.Duration) is { } text)
        {
            if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds) || !(seconds >= 0) || double.IsInfinity(seconds))
            {
                problems.Add(Malformed(path, record.Line, $"the duration '{text}' is not a number of seconds"));
                return;
            }

            duration = seconds;
        }

        string absolute = Path.GetFullPath(file.Replace('\\', Path.DirectorySeparatorChar), idRoot);
        string id = Path.IsPathRooted(file) ? Path.GetRelativePath(idRoot, absolute) : file;
        utterances.Add(new Utterance(ToId(id), absolute, Field(columns.Speaker), Field(columns.Session), duration));
    }

    private static DataProblem Malformed(string path, int line, string what) =>
        new(DataProblemKind.MalformedList, path, $"{path}, line {line}: {what}.");

    /// <summary>Positions of the columns, −1 where absent.</summary>
    private readonly record struct Columns(int Path, int Speaker, int Session, int Duration)
    {
        public static Columns Find(IReadOnlyList<string> header, ManifestFormat format)
        {
            int At(params ReadOnlySpan<string> names)
            {
                for (int i = 0; i < header.Count; i++)
                {
                    foreach (string name in names)
                    {
                        if (header[i].Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                        {
                            return i;
                        }
                    }
                }

                return -1;
            }

            int path = format == ManifestFormat.Sslsv ? At("File") : At("path", "File");
            return new Columns(path, At("speaker"), At("session"), At("duration_s"));
        }
    }
}
