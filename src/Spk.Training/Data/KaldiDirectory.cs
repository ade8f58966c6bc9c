namespace Spk.Training.Data;

/// <summary>Reads wav.scp and utt2spk. The utterance id is Kaldi's own, as trials of such a corpus use it.</summary>
internal static class KaldiDirectory
{
    public static void Read(string folder, string? root, List<Utterance> utterances, List<DataProblem> problems)
    {
        string scp = Path.Combine(folder, "wav.scp");
        if (File.Exists(Path.Combine(folder, "segments")))
        {
            problems.Add(Malformed(scp, $"{folder} has a 'segments' file: cut the recordings into one file per utterance first (`extract-segments` in Kaldi)"));
            return;
        }

        var speakers = ReadSpeakers(Path.Combine(folder, "utt2spk"), problems);
        string pathRoot = Path.GetFullPath(root ?? folder);
        var listed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (line, id, file) in Pairs(scp, "an utterance id and a path", problems))
        {
            if (file.EndsWith('|') || file.StartsWith('|'))
            {
                problems.Add(Malformed(scp, $"{scp}, line {line}: '{id}' is a command ('{Shorten(file)}'): run it and list the resulting WAV file, pipes are not executed"));
                continue;
            }

            if (IsArchiveOffset(file))
            {
                problems.Add(Malformed(scp, $"{scp}, line {line}: '{id}' points into an archive ('{Shorten(file)}'): list WAV files"));
                continue;
            }

            listed.Add(id);
            string? speaker = null;
            speakers?.TryGetValue(id, out speaker);
            utterances.Add(new Utterance(id, Path.GetFullPath(file, pathRoot), speaker));
        }

        if (speakers is not null)
        {
            ReportDifference(folder, [.. listed.Where(id => !speakers.ContainsKey(id))], "wav.scp", "utt2spk", problems);
            ReportDifference(folder, [.. speakers.Keys.Where(id => !listed.Contains(id))], "utt2spk", "wav.scp", problems);
        }
    }

    private static Dictionary<string, string>? ReadSpeakers(string path, List<DataProblem> problems)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var speakers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (line, id, speaker) in Pairs(path, "an utterance id and a speaker", problems))
        {
            if (!speakers.TryAdd(id, speaker))
            {
                problems.Add(new(DataProblemKind.DuplicateId, id, $"{path}, line {line}: the utterance '{id}' is listed twice."));
            }
        }

        return speakers;
    }

    private static IEnumerable<(int Line, string Key, string Value)> Pairs(string path, string wanted, List<DataProblem> problems)
    {
        int number = 0;
        foreach (string raw in ManifestReader.ReadText(path).Split('\n'))
        {
            number++;
            string line = raw.Trim();
            if (line.Length == 0)
            {
                continue;
            }

            int blank = line.AsSpan().IndexOfAny(' ', '\t');
            if (blank < 0)
            {
                problems.Add(Malformed(path, $"{path}, line {number}: '{Shorten(line)}' is not {wanted}"));
                continue;
            }

            yield return (number, line[..blank], line[blank..].Trim());
        }
    }

    private static void ReportDifference(string folder, string[] ids, string where, string absent, List<DataProblem> problems)
    {
        if (ids.Length > 0)
        {
            problems.Add(Malformed(
                Path.Combine(folder, where),
                $"{ids.Length} utterance{(ids.Length == 1 ? " is" : "s are")} in {where} and not in {absent} of {folder}, the first is '{ids[0]}': make the two lists agree"));
        }
    }

    // "file.ark:1234" is an offset into an archive; a colon elsewhere (a Windows drive) is not.
    private static bool IsArchiveOffset(string file)
    {
        int colon = file.LastIndexOf(':');
        return colon > 1 && colon < file.Length - 1 && !file.AsSpan(colon + 1).ContainsAnyExceptInRange('0', '9');
    }

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..57] + "...";

    private static DataProblem Malformed(string subject, string message) => new(DataProblemKind.MalformedList, subject, message + ".");
}
