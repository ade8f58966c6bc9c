using System.Globalization;
using System.Text;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// Which utterances belong to one dialogue with a device: a weak label, as most dialogues have one speaker. CSV with a header:
/// <c>dialogue_id,path[,device_id,start_time][,true_speaker]</c>; a raw log has no <c>dialogue_id</c>, and its dialogues are built.
/// </summary>
public sealed class DialogueList
{
    // Ends of utterances are rounded; more than this is one device hearing two at once.
    private const double OverlapToleranceSeconds = 0.05;

    /// <summary>A list made in memory.</summary>
    /// <param name="entries">At least one, of distinct utterances.</param>
    /// <param name="source">Where they come from, for messages.</param>
    /// <exception cref="DataFormatException">There is none, an utterance is listed twice, or a dialogue has two devices.</exception>
    public DialogueList(IEnumerable<DialogueEntry> entries, string source = "the list of dialogues")
    {
        ArgumentNullException.ThrowIfNull(entries);
        (Entries, Source) = ([.. entries], source);
        var problems = new List<DataProblem>();
        DialogueListReader.Check(Entries, source, problems);
        DialogueListReader.ThrowFirst(problems);
    }

    /// <summary>The file it was read from.</summary>
    public string Source { get; }

    /// <summary>The utterances in the order listed.</summary>
    public IReadOnlyList<DialogueEntry> Entries { get; }

    /// <summary>Whether the list itself says which dialogue an utterance belongs to.</summary>
    public bool NamesDialogues => Entries[0].Dialogue is not null;

    /// <summary>Reads a list; audio is not touched.</summary>
    /// <param name="path">The CSV file.</param>
    /// <param name="root">Folder that absolute paths in it are made relative to; null for the list's own.</param>
    /// <returns>At least one utterance.</returns>
    /// <exception cref="DataFormatException">
    /// The list is missing, empty, malformed, lacks a column, has an utterance twice, a row without device where others have one, or a
    /// dialogue of two devices; the message names file and line.
    /// </exception>
    public static DialogueList Read(string path, string? root = null)
    {
        var problems = new List<DataProblem>();
        var entries = DialogueListReader.Read(path, root, problems);
        DialogueListReader.ThrowFirst(problems);
        return new DialogueList(entries, path);
    }

    /// <summary>
    /// Builds dialogues from a log: utterances of one device belong together as long as no more than a gap lies between the end of one and the
    /// beginning of the next. Dialogues that the list names are ignored.
    /// </summary>
    /// <param name="gapSeconds">Longest silence within a dialogue, seconds, 0 or more.</param>
    /// <param name="secondsOf">Length of an utterance by its id, seconds.</param>
    /// <returns>The same utterances, device by device in order of time, with dialogues named DEVICE#1, DEVICE#2 and so on.</returns>
    /// <exception cref="DataFormatException">An utterance has no device or time, or a device hears two utterances at once.</exception>
    public DialogueList Build(double gapSeconds, Func<string, double> secondsOf)
    {
        ArgumentNullException.ThrowIfNull(secondsOf);
        ArgumentOutOfRangeException.ThrowIfNegative(gapSeconds);
        if (Entries.FirstOrDefault(e => e.Device is null || e.StartSeconds is null) is { } incomplete)
        {
            throw new DataFormatException(
                $"{Where(incomplete)}: '{incomplete.Utterance}' has no device_id or start_time, from which dialogues are built: add both columns, or set data.dialogueGap to 0.");
        }

        var built = new List<DialogueEntry>(Entries.Count);
        foreach (var device in Entries.GroupBy(e => e.Device!, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            int dialogue = 0;
            double end = double.NegativeInfinity;
            DialogueEntry? before = null;
            foreach (var entry in device.OrderBy(e => e.StartSeconds).ThenBy(e => e.Utterance, StringComparer.Ordinal))
            {
                double start = entry.StartSeconds!.Value;
                if (before is not null && start < end - OverlapToleranceSeconds)
                {
                    throw new DataFormatException(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{Where(entry)}: '{entry.Utterance}' begins {end - start:0.###} s before '{before.Utterance}' of the same device {device.Key} ends: correct start_time or device_id."));
                }

                dialogue += before is null || start - end > gapSeconds ? 1 : 0;
                built.Add(entry with { Dialogue = string.Create(CultureInfo.InvariantCulture, $"{device.Key}#{dialogue}") });
                end = Math.Max(end, start + secondsOf(entry.Utterance));
                before = entry;
            }
        }

        return new DialogueList(built, Source);
    }

    /// <summary>Writes the list with the columns that it has values for.</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public void WriteCsv(string path)
    {
        (string Name, Func<DialogueEntry, string?> Value)[] all =
        [
            (DialogueListReader.DialogueColumn, e => e.Dialogue), (DialogueListReader.PathColumn, e => e.Utterance), (DialogueListReader.DeviceColumn, e => e.Device),
            (DialogueListReader.StartColumn, e => e.StartSeconds?.ToString("0.###", CultureInfo.InvariantCulture)), (DialogueListReader.SpeakerColumn, e => e.TrueSpeaker),
        ];
        var columns = all.Where(c => Entries.Any(e => c.Value(e) is not null)).ToArray();
        var text = new StringBuilder(string.Join(',', columns.Select(c => c.Name))).Append('\n');
        foreach (var entry in Entries)
        {
            text.AppendJoin(',', columns.Select(c => CsvReader.Escape(c.Value(entry)))).Append('\n');
        }

        AtomicFile.WriteText(path, text.ToString());
    }

    private string Where(DialogueEntry entry) => entry.Line > 0 ? string.Create(CultureInfo.InvariantCulture, $"{Source}, line {entry.Line}") : Source;
}
