using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>
/// Which utterances make up each enrolled profile, a line a profile: <c>profile utterance utterance …</c>, as Kaldi's spk2utt. Trials then
/// name a profile as their enrolment.
/// </summary>
public static class EnrolmentList
{
    /// <summary>Reads a list.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Utterance ids by profile, in the order of the file.</returns>
    /// <exception cref="DataFormatException">The file is missing or empty, a profile has no utterance or occurs twice; the message names the line.</exception>
    public static IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>> Read(string path)
    {
        string[] lines;
        try
        {
            lines = ManifestReader.ReadText(path).Split('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"The enrolment list {path} cannot be read: {e.Message}", e);
        }

        var profiles = new List<KeyValuePair<string, IReadOnlyList<string>>>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < lines.Length; i++)
        {
            string[] words = lines[i].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0)
            {
                continue;
            }

            if (words.Length == 1 || !seen.Add(words[0]))
            {
                string what = words.Length == 1 ? "has no utterance" : "is listed twice";
                throw new DataFormatException($"{path}, line {i + 1}: the profile '{words[0]}' {what}; a line is 'profile utterance utterance ...'.");
            }

            profiles.Add(new(words[0], [.. words.Skip(1).Select(ManifestReader.ToId)]));
        }

        return profiles.Count > 0
            ? profiles
            : throw new DataFormatException($"{path} has no profiles: it needs lines such as 'alice a1.wav a2.wav'.");
    }
}
