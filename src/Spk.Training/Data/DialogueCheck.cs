using Spk.Engine.Audio;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>Holds a list of dialogues against the manifest.</summary>
internal static class DialogueCheck
{
    public static void Run(string path, string? root, List<Utterance> utterances, string manifest, List<DataProblem> problems)
    {
        int before = problems.Count;
        var entries = DialogueListReader.Read(path, root, problems);
        var known = new Dictionary<string, Utterance>(StringComparer.Ordinal);
        foreach (var utterance in utterances)
        {
            known.TryAdd(utterance.Id, utterance);
        }

        foreach (var entry in entries.Where(e => !known.ContainsKey(e.Utterance)))
        {
            problems.Add(new(DataProblemKind.DialogueOfAbsentUtterance, entry.Utterance, $"{path}, line {entry.Line}: '{entry.Utterance}' is not listed in {manifest}."));
        }

        var dialogues = entries.Where(e => e.Dialogue is not null).GroupBy(e => e.Dialogue!, StringComparer.Ordinal).ToArray();
        foreach (var single in dialogues.Where(d => d.Count() == 1))
        {
            problems.Add(new(
                DataProblemKind.SingleUtteranceDialogue, single.Key, $"{path}: the dialogue '{single.Key}' has one utterance and is left out of training.", IsError: false));
        }

        if (dialogues.Length > 0 && dialogues.All(d => d.Select(e => e.TrueSpeaker).OfType<string>().Distinct().Count() > 1))
        {
            problems.Add(new(
                DataProblemKind.OnlyMixedDialogues, path, $"{path}: every dialogue has several true speakers: nothing in it tells speakers apart.", IsError: false));
        }

        // Times only make sense in a list that is sound otherwise.
        if (problems.Count == before && entries.Count > 0 && entries.All(e => e.StartSeconds is not null && e.Device is not null))
        {
            try
            {
                new DialogueList(entries, path).Build(double.MaxValue, id => Seconds(known[id]));
            }
            catch (DataFormatException e)
            {
                problems.Add(new(DataProblemKind.OverlappingTimes, path, e.Message));
            }
        }
    }

    // A file that cannot be read has been reported by then.
    private static double Seconds(Utterance utterance)
    {
        try
        {
            return utterance.DurationSeconds ?? WavFile.ReadInfo(utterance.Path).Seconds;
        }
        catch (DataFormatException)
        {
            return 0;
        }
    }
}
