using System.Globalization;
using Spk.Engine.Numerics;

namespace Spk.Training.Data.Synthesis;

/// <summary>
/// The log of synthetic devices: every training speaker has one, every session in front of it is a dialogue, and in some of them the last
/// utterance is another speaker's, in the same room.
/// </summary>
internal static class SyntheticDialogues
{
    // Dialogues lie an hour apart, utterances of one a few seconds: any gap between parts them rightly.
    private const double SessionSeconds = 3600, ShortestPause = 0.5, LongestPause = 5;

    /// <summary>Puts guests into dialogues.</summary>
    /// <param name="recordings">The training part, in order of utterances; entries of guests are replaced.</param>
    /// <param name="spec">Rate of second speakers and seed.</param>
    /// <param name="folder">The corpus.</param>
    /// <returns>The log, with the dialogues and true speakers.</returns>
    public static DialogueList Make(Recording[] recordings, SyntheticVoicesSpec spec, string folder)
    {
        int[][] dialogues = [.. Enumerable.Range(0, recordings.Length).GroupBy(i => recordings[i].Session).Select(d => d.ToArray())];
        int[] order = [.. Enumerable.Range(0, dialogues.Length)];
        new CounterRandom(spec.Seed, RandomPurpose.Dialogue, epoch: 1).Shuffle(order);
        var mixed = order.Take((int)Math.Round(spec.SecondSpeakers!.Value * dialogues.Length)).ToHashSet();
        var entries = new List<DialogueEntry>(recordings.Length);
        for (int d = 0; d < dialogues.Length; d++)
        {
            var random = new CounterRandom(spec.Seed, RandomPurpose.Dialogue, epoch: 2, item: d);
            var host = recordings[dialogues[d][0]];
            if (mixed.Contains(d))
            {
                int guest = (host.Speaker + 1 + random.NextInt(spec.Speakers - 1)) % spec.Speakers;
                recordings[dialogues[d][^1]] = SpokenBy(guest, recordings[dialogues[d][^1]], folder);
            }

            double time = SessionSeconds * (host.Session % spec.SessionsPerSpeaker);
            foreach (int i in dialogues[d])
            {
                var utterance = recordings[i].Utterance;
                entries.Add(new DialogueEntry(
                    utterance.Id, string.Create(CultureInfo.InvariantCulture, $"d{d + 1:D5}"), string.Create(CultureInfo.InvariantCulture, $"device{host.Speaker + 1:D4}"),
                    Math.Round(time, 3), utterance.Speaker));
                time += utterance.DurationSeconds!.Value + random.NextFloat((float)ShortestPause, (float)LongestPause);
            }
        }

        return new DialogueList(entries, Path.Combine(folder, "sessions.csv"));
    }

    private static Recording SpokenBy(int guest, Recording recording, string folder)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"sv{guest + 1:D4}"), host = recording.Utterance.Speaker!;
        string id = $"train/{name}/{host}-{Path.GetFileName(recording.Utterance.Path)}";
        return recording with
        {
            Speaker = guest,
            Utterance = recording.Utterance with { Id = id, Path = Path.Combine(folder, id), Speaker = name, Session = $"{host}-{recording.Utterance.Session}" },
        };
    }
}
