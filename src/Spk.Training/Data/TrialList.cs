using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>Pairs of utterances with the answer to "the same speaker?".</summary>
/// <remarks>VoxCeleb style is <c>1 enrolment test</c> (1 target, 0 non-target), Kaldi style is <c>enrolment test target|nontarget</c>.</remarks>
public sealed class TrialList
{
    /// <summary>Most trials of <see cref="AllPairs"/>: about 6300 utterances.</summary>
    public const int MaximumPairs = 20_000_000;

    /// <summary>A list made in memory.</summary>
    /// <param name="trials">At least one.</param>
    /// <param name="source">Where they come from, for messages.</param>
    /// <exception cref="DataFormatException">There is no trial.</exception>
    public TrialList(IEnumerable<Trial> trials, string source = "the trial list")
    {
        Trials = [.. trials];
        Source = source;
        if (Trials.Count == 0)
        {
            throw new DataFormatException($"{source} has no trials: it needs lines such as '1 enrolment.wav test.wav'.");
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        var utterances = new List<string>();
        foreach (var trial in Trials)
        {
            if (seen.Add(trial.Enrolment))
            {
                utterances.Add(trial.Enrolment);
            }

            if (seen.Add(trial.Test))
            {
                utterances.Add(trial.Test);
            }
        }

        Utterances = utterances;
        Targets = Trials.Count(t => t.IsTarget);
    }

    /// <summary>The file it was read from.</summary>
    public string Source { get; }

    /// <summary>All trials in the order of the file.</summary>
    public IReadOnlyList<Trial> Trials { get; }

    /// <summary>The distinct utterance ids, in the order of first mention.</summary>
    public IReadOnlyList<string> Utterances { get; }

    /// <summary>Number of target trials.</summary>
    public int Targets { get; }

    /// <summary>Reads a trial list of either style; the first line decides which, and all others must follow.</summary>
    /// <param name="path">The file.</param>
    /// <returns>At least one trial.</returns>
    /// <exception cref="DataFormatException">The file is missing, empty or malformed; the message names the line.</exception>
    public static TrialList Read(string path)
    {
        string[] lines;
        try
        {
            lines = ManifestReader.ReadText(path).Split('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string what = e is FileNotFoundException or DirectoryNotFoundException ? "does not exist: check the path" : $"cannot be read: {e.Message}";
            throw new DataFormatException($"The trial list {path} {what}", e);
        }

        var trials = new List<Trial>(lines.Length);
        bool? kaldi = null;
        for (int i = 0; i < lines.Length; i++)
        {
            string[] parts = lines[i].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (parts.Length == 0)
            {
                continue;
            }

            bool asKaldi = kaldi ??= parts.Length == 3 && parts[2] is "target" or "nontarget";
            string label = parts.Length == 3 ? parts[asKaldi ? 2 : 0] : "";
            bool isTarget = label == (asKaldi ? "target" : "1");
            if (!isTarget && label != (asKaldi ? "nontarget" : "0"))
            {
                string wanted = asKaldi ? "'enrolment test target' or 'enrolment test nontarget'" : "'1 enrolment test' or '0 enrolment test'";
                throw new DataFormatException($"{path}, line {i + 1}: '{Shorten(lines[i].Trim())}' is not {wanted}.");
            }

            int first = asKaldi ? 0 : 1;
            trials.Add(new Trial(isTarget, ManifestReader.ToId(parts[first]), ManifestReader.ToId(parts[first + 1])));
        }

        return new TrialList(trials, path);
    }

    /// <summary>Every unordered pair of different utterances, as one list.</summary>
    /// <param name="utterances">Distinct ids, 2 or more.</param>
    /// <param name="speakerOf">Speaker of an utterance; pairs of one speaker are targets.</param>
    /// <returns>N (N − 1) / 2 trials, in the order of the utterances.</returns>
    /// <exception cref="DataFormatException">There are more than <see cref="MaximumPairs"/> pairs, or none.</exception>
    public static TrialList AllPairs(IReadOnlyList<string> utterances, Func<string, string> speakerOf)
    {
        ArgumentNullException.ThrowIfNull(utterances);
        ArgumentNullException.ThrowIfNull(speakerOf);
        long pairs = (long)utterances.Count * (utterances.Count - 1) / 2;
        if (pairs > MaximumPairs)
        {
            throw new DataFormatException($"{utterances.Count} utterances make {pairs} pairs, more than the {MaximumPairs} that fit in memory: give a trial list.");
        }

        string[] speakers = [.. utterances.Select(speakerOf)];
        var trials = new List<Trial>((int)pairs);
        for (int a = 0; a < speakers.Length; a++)
        {
            for (int b = a + 1; b < speakers.Length; b++)
            {
                trials.Add(new Trial(speakers[a] == speakers[b], utterances[a], utterances[b]));
            }
        }

        return new TrialList(trials, "the list of all pairs");
    }

    /// <summary>Writes VoxCeleb style.</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public void Write(string path) =>
        AtomicFile.WriteText(path, string.Concat(Trials.Select(t => $"{(t.IsTarget ? 1 : 0)} {t.Enrolment} {t.Test}\n")));

    /// <summary>Checks that error rates can be computed: both kinds of trials are there and all utterances are known.</summary>
    /// <param name="known">Ids of the utterances at hand.</param>
    /// <exception cref="DataFormatException">A kind is missing, or an utterance is unknown; the message counts and names them.</exception>
    public void RequireUsable(IReadOnlySet<string> known)
    {
        ArgumentNullException.ThrowIfNull(known);
        if (Targets == 0 || Targets == Trials.Count)
        {
            throw new DataFormatException(OneSided());
        }

        var absent = Utterances.Where(id => !known.Contains(id)).ToArray();
        if (absent.Length > 0)
        {
            throw new DataFormatException(
                $"{Source} names {absent.Length} utterance{(absent.Length == 1 ? "" : "s")} that the data does not have, the first is '{absent[0]}': check the data root and the manifest.");
        }
    }

    internal string OneSided() =>
        $"{Source} has {Targets} target and {Trials.Count - Targets} non-target trials: error rates need both kinds.";

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..77] + "...";
}
