using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>Utterances that belong together, in the terms of a corpus: those of a dialogue, or of a speaker.</summary>
public sealed class UtteranceGroups
{
    private UtteranceGroups(int[][] utterances, int[] devices, int[]? trueSpeakers, int leftOut)
    {
        (Utterances, Devices, TrueSpeakers, LeftOut) = (utterances, devices, trueSpeakers, leftOut);
        DeviceCount = devices.Length == 0 ? 0 : devices.Max() + 1;
    }

    /// <summary>Indices of the utterances of each group in the corpus.</summary>
    public IReadOnlyList<IReadOnlyList<int>> All => Utterances;

    /// <summary>Groups that have fewer utterances than a batch takes of each, and are not used.</summary>
    public int LeftOut { get; }

    internal int[][] Utterances { get; }

    /// <summary>Device of each group, from 0: groups of one device never meet in a batch.</summary>
    internal int[] Devices { get; }

    internal int DeviceCount { get; }

    /// <summary>True speaker of each utterance of the corpus, −1 where unknown; null where the list names none. For diagnostics only.</summary>
    internal int[]? TrueSpeakers { get; }

    /// <summary>The utterances of each speaker; every speaker counts as a device.</summary>
    /// <param name="corpus">The recordings.</param>
    /// <param name="members">Indices of the utterances to use.</param>
    /// <param name="least">Utterances that a batch takes of each speaker.</param>
    /// <exception cref="InvalidOptionException">An utterance has no speaker, or no speaker has as many utterances.</exception>
    public static UtteranceGroups OfSpeakers(Corpus corpus, IReadOnlyList<int> members, int least)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(members);
        int[][] all = new MemberSpeakers(corpus, [.. members], "data.rows = speakers").Utterances;
        int[][] kept = [.. all.Where(u => u.Length >= least)];
        RequireAny(kept, least, all, "speakers");
        return new UtteranceGroups(kept, [.. Enumerable.Range(0, kept.Length)], null, all.Length - kept.Length);
    }

    /// <summary>The utterances of each dialogue. Where the list names no devices, every dialogue has one of its own.</summary>
    /// <param name="list">Which utterances belong together; must name dialogues.</param>
    /// <param name="corpus">The recordings.</param>
    /// <param name="members">Indices of the utterances to use; others of the list are passed over.</param>
    /// <param name="least">Utterances that a batch takes of each dialogue.</param>
    /// <exception cref="DataFormatException">The list has an utterance that the corpus lacks.</exception>
    /// <exception cref="InvalidOptionException">The list names no dialogues, or none has as many utterances.</exception>
    public static UtteranceGroups OfDialogues(DialogueList list, Corpus corpus, IReadOnlyList<int> members, int least)
    {
        ArgumentNullException.ThrowIfNull(list);
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(members);
        if (!list.NamesDialogues)
        {
            throw new InvalidOptionException(
                $"data.dialogueGap = 0: {list.Source} has no dialogue_id column; set the gap to the seconds of silence that part two dialogues of a device.");
        }

        string[] absent = [.. list.Entries.Select(e => e.Utterance).Where(u => corpus.IndexOf(u) < 0)];
        if (absent.Length > 0)
        {
            throw new DataFormatException($"{list.Source} names '{absent[0]}', which the training manifest does not list ({absent.Length} such utterances): the two belong to different corpora.");
        }

        var member = members.ToHashSet();
        var used = list.Entries.Where(e => member.Contains(corpus.IndexOf(e.Utterance))).GroupBy(e => e.Dialogue!, StringComparer.Ordinal).ToArray();
        int[][] all = [.. used.Select(d => d.Select(e => corpus.IndexOf(e.Utterance)).ToArray())];
        var kept = used.Where(d => d.Count() >= least).ToArray();
        int[][] utterances = [.. kept.Select(d => d.Select(e => corpus.IndexOf(e.Utterance)).ToArray())];
        RequireAny(utterances, least, all, "dialogues");
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        int[] devices = [.. kept.Select(d => Number(numbers, d.First().Device ?? d.Key))];
        return new UtteranceGroups(utterances, devices, TrueSpeakersOf(list, corpus), all.Length - kept.Length);
    }

    private static int[]? TrueSpeakersOf(DialogueList list, Corpus corpus)
    {
        if (list.Entries.All(e => e.TrueSpeaker is null))
        {
            return null;
        }

        int[] speakers = new int[corpus.Count];
        Array.Fill(speakers, -1);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in list.Entries.Where(e => e.TrueSpeaker is not null))
        {
            speakers[corpus.IndexOf(entry.Utterance)] = Number(numbers, entry.TrueSpeaker!);
        }

        return speakers;
    }

    private static int Number(Dictionary<string, int> numbers, string name)
    {
        if (!numbers.TryGetValue(name, out int number))
        {
            numbers.Add(name, number = numbers.Count);
        }

        return number;
    }

    private static void RequireAny(int[][] kept, int least, int[][] all, string what)
    {
        if (kept.Length == 0)
        {
            throw new InvalidOptionException(
                $"data.views = {least}: none of the {all.Length} {what} has as many utterances; the most is {all.Select(u => u.Length).DefaultIfEmpty(0).Max()}.");
        }
    }
}
