using System.CommandLine;
using Spk.Engine.Devices;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Cli.Verbs;

/// <summary>How trials are scored: normalization, its cohort, centring, and a stored calibration.</summary>
internal sealed class ScoringOptions
{
    private readonly Option<string> _norm = CommonOptions.Choice("--norm", "Score normalization by a cohort: none, z, t, s or as (adaptive: the nearest of the cohort).", "none", "z", "t", "s", "as");
    private readonly Option<string> _cohort = new("--cohort") { HelpName = "FILE" };
    private readonly Option<int> _top = new("--top") { Description = "For as: how many of the cohort are looked at on each side.", HelpName = "N", DefaultValueFactory = _ => 300 };
    private readonly Option<string> _deviation = CommonOptions.Choice("--deviation", "Of cohort scores: unbiased (n − 1) or biased (n).", "unbiased", "biased");
    private readonly Option<string> _cohortBy = CommonOptions.Choice("--cohort-by", "Members of the cohort: each utterance, or the mean of each speaker.", "utterance", "speaker");
    private readonly Option<bool> _center = new("--center") { Description = "Subtract the cohort's mean embedding from everything first." };
    private readonly Option<string[]> _speakers = new("--speakers")
    {
        Description = "Manifests that name the speakers of utterances; default: the speaker's folder in the id.",
        HelpName = "FILE",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string> _calibration = new("--calibration") { Description = "A file of 'spk calibrate': adds Cllr, actual costs and the rates at its threshold.", HelpName = "FILE" };

    public ScoringOptions(Command verb, string cohort, bool calibration = true)
    {
        _cohort.Description = cohort;
        foreach (Option option in new Option[] { _norm, _cohort, _top, _deviation, _cohortBy, _center, _speakers })
        {
            verb.Options.Add(option);
        }

        if (calibration)
        {
            verb.Options.Add(_calibration);
        }

        verb.Validators.Add(result =>
        {
            bool norm = result.GetValue(_norm) is not (null or "none"), has = result.GetValue(_cohort) is not null;
            if (norm && !has)
            {
                result.AddError($"--norm {result.GetValue(_norm)} needs --cohort FILE: embeddings of other speakers.");
            }
            else if (has && !norm && !result.GetValue(_center))
            {
                result.AddError("--cohort is for --norm or --center, neither of which was given.");
            }
            else if (result.GetValue(_center) && !has)
            {
                result.AddError("--center needs --cohort FILE, whose mean is subtracted.");
            }
        });
    }

    /// <summary>Scores trials as the command line says.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="trials">Trials.</param>
    /// <param name="enrolments">Embeddings of the enrolments.</param>
    /// <param name="tests">Embeddings of the tests.</param>
    /// <param name="cohort">Reads or makes the embeddings that --cohort names.</param>
    /// <param name="device">Where a normalization is computed; asked for only where there is one.</param>
    /// <param name="stop">Ends the work early.</param>
    /// <param name="model">Identity of the model, for a cohort that will be stored.</param>
    /// <returns>A score per trial, in words how they were made, and the cohort that normalized them; null for cosines.</returns>
    public (float[] Scores, string Scoring, ScoreCohort? Cohort) Score(
        ParseResult options,
        IReadOnlyList<Trial> trials,
        EmbeddingTable enrolments,
        EmbeddingTable tests,
        Func<string, EmbeddingTable> cohort,
        Lazy<Device> device,
        CancellationToken stop,
        string? model = null)
    {
        if (options.GetValue(_cohort) is not { } path)
        {
            return (TrialEvaluation.Score(trials, enrolments, tests, cancellation: stop), Calibration.Cosine, null);
        }

        var others = cohort(path);
        if (options.GetValue(_cohortBy) == "speaker")
        {
            others = others.Means([.. others.Ids.GroupBy(SpeakerOf(options)).Select(g => KeyValuePair.Create(g.Key, (IReadOnlyList<string>)[.. g]))]);
        }

        bool center = options.GetValue(_center), same = ReferenceEquals(enrolments, tests);
        if (Kind(options.GetValue(_norm)) is not { } kind)
        {
            double[] mean = others.Mean();
            enrolments = enrolments.Centered(mean);
            tests = same ? enrolments : tests.Centered(mean);
            return (TrialEvaluation.Score(trials, enrolments, tests, cancellation: stop), $"{Calibration.Cosine}, centred", null);
        }

        var settings = new ScoreNormOptions { Kind = kind, Top = options.GetValue(_top), Unbiased = options.GetValue(_deviation) == "unbiased" };
        var by = new ScoreCohort(others, settings, center, model);
        enrolments = by.Centered(enrolments);
        tests = same ? enrolments : by.Centered(tests);
        return (TrialEvaluation.Score(trials, enrolments, tests, by.Normalizer, device.Value, stop), by.Scoring, by);
    }

    /// <summary>Reads the calibration, and refuses one that was learnt on scores of another kind, cohort or model.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="scoring">How the scores were made.</param>
    /// <param name="cohort">What normalized them; null for nothing.</param>
    /// <param name="model">Identity of the model, where it is known.</param>
    public Calibration? Calibrated(ParseResult options, string scoring, ScoreCohort? cohort, string? model)
    {
        if (options.GetValue(_calibration) is not { } path)
        {
            return null;
        }

        var calibration = Calibration.Load(path);
        if (calibration.Scoring != scoring)
        {
            throw new InvalidOptionException($"{path} was learnt on scores of the kind '{calibration.Scoring}', these are '{scoring}': score alike, or calibrate again.");
        }

        if (calibration.Cohort is { } named && cohort is not null && cohort.Identity != named)
        {
            throw new InvalidOptionException($"{path} was learnt on scores that another cohort normalized: give the cohort of that calibration, or calibrate again.");
        }

        return model is null || calibration.Model is null || calibration.Model == model
            ? calibration
            : throw new InvalidOptionException($"{path} was learnt on scores of another model ({calibration.Model[..12]}, this is {model[..12]}): calibrate again.");
    }

    /// <summary>Names the speaker of an utterance: from the manifests of --speakers, else off its path.</summary>
    public Func<string, string> SpeakerOf(ParseResult options)
    {
        string[] files = options.GetValue(_speakers) ?? [];
        if (files.Length == 0)
        {
            return SpeakerFolders.Speaker;
        }

        var speakers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var utterance in files.SelectMany(file => Manifest.Load(file).Utterances).Where(u => u.Speaker is not null))
        {
            speakers[utterance.Id] = utterance.Speaker!;
        }

        return id => speakers.TryGetValue(id, out string? speaker)
            ? speaker
            : throw new DataFormatException($"{string.Join(", ", files)}: no speaker is named for the utterance '{id}'.");
    }

    private static ScoreNorm? Kind(string? name) => name switch
    {
        "z" => ScoreNorm.Z,
        "t" => ScoreNorm.T,
        "s" => ScoreNorm.S,
        "as" => ScoreNorm.AdaptiveS,
        _ => null,
    };
}
