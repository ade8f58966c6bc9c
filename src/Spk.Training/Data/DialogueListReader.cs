using System.Globalization;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>Reads lists of dialogues and collects what is wrong instead of stopping at the first fault.</summary>
internal static class DialogueListReader
{
    public const string DialogueColumn = "dialogue_id", PathColumn = "path", DeviceColumn = "device_id", StartColumn = "start_time", SpeakerColumn = "true_speaker";

    /// <summary>Reads what can be read; a sound list adds no problem.</summary>
    public static List<DialogueEntry> Read(string path, string? root, List<DataProblem> problems)
    {
        var entries = new List<DialogueEntry>();
        string text;
        try
        {
            text = ManifestReader.ReadText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add(new(DataProblemKind.Missing, path, $"The list of dialogues {path} cannot be read: {e.Message}"));
            return entries;
        }

        var records = CsvReader.Read(text, out int unclosed);
        if (unclosed > 0)
        {
            problems.Add(Malformed(path, unclosed, "a quote is opened and never closed"));
            return entries;
        }

        var header = records.Count == 0 ? [] : records[0].Fields.Select(f => f.Trim()).ToList();
        int At(string name) => header.FindIndex(h => h.Equals(name, StringComparison.OrdinalIgnoreCase));
        var columns = new Columns(At(DialogueColumn), At(PathColumn), At(DeviceColumn), At(StartColumn), At(SpeakerColumn));
        if (columns.Path < 0 || (columns.Dialogue < 0 && (columns.Device < 0 || columns.Start < 0)))
        {
            problems.Add(new(
                DataProblemKind.MalformedList, path,
                $"{path}: the header is '{string.Join(',', header)}'; wanted is dialogue_id,path[,device_id,start_time][,true_speaker], or without dialogue_id where device_id and start_time are there."));
            return entries;
        }

        string idRoot = Path.GetFullPath(root ?? Path.GetDirectoryName(Path.GetFullPath(path))!);
        foreach (var record in records.Skip(1))
        {
            if (record.Fields.Count != header.Count)
            {
                problems.Add(Malformed(path, record.Line, $"{record.Fields.Count} fields where the header has {header.Count}"));
            }
            else if (Entry(path, idRoot, record, columns, problems) is { } entry)
            {
                entries.Add(entry);
            }
        }

        if (problems.Count == 0 || entries.Count > 0)
        {
            Check(entries, path, problems);
        }

        return entries;
    }

    /// <summary>Adds a problem where entries contradict each other, or there are none.</summary>
    public static void Check(IReadOnlyList<DialogueEntry> entries, string source, List<DataProblem> problems)
    {
        if (entries.Count == 0)
        {
            problems.Add(new(DataProblemKind.EmptyManifest, source, $"{source} lists no utterance of a dialogue."));
        }

        var lines = new Dictionary<string, int>(StringComparer.Ordinal);
        var devices = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            if (!lines.TryAdd(entry.Utterance, entry.Line))
            {
                problems.Add(new(
                    DataProblemKind.DuplicateId, entry.Utterance,
                    $"{source} lists the utterance '{entry.Utterance}' twice (lines {lines[entry.Utterance]} and {entry.Line}): it belongs to one dialogue."));
            }

            if (entry.Dialogue is { } dialogue && !devices.TryAdd(dialogue, entry.Device) && devices[dialogue] != entry.Device)
            {
                problems.Add(Malformed(
                    source, entry.Line, $"the dialogue '{dialogue}' has the devices '{devices[dialogue]}' and '{entry.Device}': a dialogue is held with one device"));
            }
        }
    }

    public static void ThrowFirst(List<DataProblem> problems)
    {
        if (problems.Count > 0)
        {
            string more = problems.Count == 1 ? "" : $" ({problems.Count - 1} more problems; `spk data check --dialogues` lists them all)";
            throw new DataFormatException(problems[0].Message + more);
        }
    }

    private static DialogueEntry? Entry(string path, string idRoot, CsvReader.Record record, Columns columns, List<DataProblem> problems)
    {
        string? Field(int column) => column >= 0 && record.Fields[column].Trim() is { Length: > 0 } text ? text : null;

        string? missing = Field(columns.Path) is null ? "the path is empty"
            : columns.Dialogue >= 0 && Field(columns.Dialogue) is null ? "the dialogue_id is empty"
            : columns.Device >= 0 && Field(columns.Device) is null ? "the device is unknown: give every utterance its device_id, or leave out the column"
            : null;
        double? start = null;
        if (missing is null && Field(columns.Start) is { } time)
        {
            start = Seconds(time);
            missing = start is null ? $"the start_time '{time}' is neither a number of seconds nor a date and time such as 2024-05-01T12:00:00Z" : null;
        }

        if (missing is not null)
        {
            problems.Add(Malformed(path, record.Line, missing));
            return null;
        }

        string file = Field(columns.Path)!;
        string id = Path.IsPathRooted(file) ? Path.GetRelativePath(idRoot, file) : file;
        return new DialogueEntry(ManifestReader.ToId(id), Field(columns.Dialogue), Field(columns.Device), start, Field(columns.Speaker)) { Line = record.Line };
    }

    private static double? Seconds(string text)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds))
        {
            return double.IsFinite(seconds) ? seconds : null;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? (time - DateTimeOffset.UnixEpoch).TotalSeconds
            : null;
    }

    private static DataProblem Malformed(string path, int line, string what) => new(DataProblemKind.MalformedList, path, $"{path}, line {line}: {what}.");

    /// <summary>Positions of the columns, −1 where absent.</summary>
    private readonly record struct Columns(int Dialogue, int Path, int Device, int Start, int Speaker);
}
