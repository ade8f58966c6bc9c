namespace Spk.Training.Evaluation;

/// <summary>Reads speakers and groups off utterance ids of the form <c>…/speaker/…/file.wav</c>.</summary>
public static class SpeakerFolders
{
    private static readonly string[] Parts = ["train", "eval", "dev", "test", "wav"];

    /// <summary>
    /// The speaker's folder: the first one below the last folder named train, eval, dev, test or wav, else the first of the path;
    /// an id without folders is its own speaker.
    /// </summary>
    /// <param name="utterance">Utterance id: a relative path.</param>
    /// <returns><c>so0103</c> for <c>eval/so0103/001030065.wav</c>, <c>id10270</c> for <c>id10270/x6uYqmx31kE/00001.wav</c>.</returns>
    public static string Speaker(string utterance)
    {
        ArgumentNullException.ThrowIfNull(utterance);
        string[] components = utterance.Split('/', '\\', StringSplitOptions.RemoveEmptyEntries);
        int first = 0;
        for (int i = 0; i < components.Length - 2; i++)
        {
            if (Parts.Contains(components[i], StringComparer.OrdinalIgnoreCase))
            {
                first = i + 1;
            }
        }

        return components.Length > 1 ? components[first] : utterance;
    }

    /// <summary>The group of an utterance: the leading letters of its speaker's folder.</summary>
    /// <param name="utterance">Utterance id.</param>
    /// <returns><c>so</c> for <c>eval/so0103/001030065.wav</c>; empty where the folder starts with no letter.</returns>
    public static string Group(string utterance)
    {
        string speaker = Speaker(utterance);
        int letters = 0;
        while (letters < speaker.Length && char.IsLetter(speaker[letters]))
        {
            letters++;
        }

        return speaker[..letters];
    }
}
