using System.Globalization;
using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>
/// Score files: one trial a line, <c>score label enrolment test</c> separated by single spaces; the label is 1 for a target and 0
/// for a non-target trial, scores round-trip exactly. Column order as the trial list behind the score, so that
/// <c>cut -d' ' -f2-</c> gives the list back.
/// </summary>
public static class ScoreFile
{
    /// <summary>Writes scores, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <param name="trials">Trials.</param>
    /// <param name="scores">One score per trial.</param>
    /// <exception cref="ShapeException">The two lists differ in length.</exception>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<Trial> trials, IReadOnlyList<float> scores)
    {
        ArgumentNullException.ThrowIfNull(trials);
        ArgumentNullException.ThrowIfNull(scores);
        if (trials.Count != scores.Count)
        {
            throw new ShapeException($"{path}: there are {trials.Count} trials but {scores.Count} scores.");
        }

        AtomicFile.WriteLines(path, trials.Select((trial, i) => string.Create(
            CultureInfo.InvariantCulture, $"{scores[i]:R} {(trial.IsTarget ? 1 : 0)} {trial.Enrolment} {trial.Test}")));
    }

    /// <summary>Reads scores.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Trials and one score each.</returns>
    /// <exception cref="DataFormatException">The file is missing or a line is malformed; the message names the line.</exception>
    public static (IReadOnlyList<Trial> Trials, IReadOnlyList<float> Scores) Read(string path)
    {
        var trials = new List<Trial>();
        var scores = new List<float>();
        try
        {
            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                string[] parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (parts.Length == 0)
                {
                    continue;
                }

                if (parts.Length != 4 || parts[1] is not ("0" or "1")
                    || !float.TryParse(parts[0], NumberStyles.Float, CultureInfo.InvariantCulture, out float score))
                {
                    throw new DataFormatException($"{path}, line {number}: expected 'score label enrolment test' with label 1 or 0.");
                }

                trials.Add(new Trial(parts[1] == "1", parts[2], parts[3]));
                scores.Add(score);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"cannot read {path}: {error.Message}", error);
        }

        return (trials, scores);
    }
}
