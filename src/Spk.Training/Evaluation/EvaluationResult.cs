using System.Text;
using System.Text.Json;
using Spk.Engine.Scoring;

namespace Spk.Training.Evaluation;

/// <summary>A confidence interval.</summary>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
public readonly record struct Interval(double Low, double High);

/// <summary>Error rates of one group of trials; all fractions.</summary>
/// <param name="Name">Name of the group.</param>
/// <param name="Trials">Number of trials.</param>
/// <param name="Targets">Number of target trials.</param>
/// <param name="Eer">Equal error rate; null where the group lacks one kind of trial, as the next two.</param>
/// <param name="MinDcf01">Minimum detection cost at prior 0.01.</param>
/// <param name="MinDcf05">Minimum detection cost at prior 0.05.</param>
/// <param name="EerInterval">Confidence interval of the equal error rate; null where there is none.</param>
public sealed record GroupResult(string Name, int Trials, int Targets, double? Eer, double? MinDcf01, double? MinDcf05, Interval? EerInterval)
{
    /// <summary>False rejection rates at <see cref="FalseRejection.Reported"/>.</summary>
    public IReadOnlyList<FalseRejection> FrrAtFar { get; init; } = [];
}

/// <summary>What a verification test gave. Rates are fractions, not per cent.</summary>
public sealed record EvaluationResult
{
    /// <summary>Equal error rate (interpolated, ties grouped).</summary>
    public required double Eer { get; init; }

    /// <summary>Minimum normalized detection cost at target prior 0.01, unit costs.</summary>
    public required double MinDcf01 { get; init; }

    /// <summary>Minimum normalized detection cost at target prior 0.05, unit costs.</summary>
    public required double MinDcf05 { get; init; }

    /// <summary>Number of trials.</summary>
    public required int Trials { get; init; }

    /// <summary>Number of target trials.</summary>
    public required int Targets { get; init; }

    /// <summary>Number of speakers, the units of the bootstrap.</summary>
    public required int Speakers { get; init; }

    /// <summary>Decision threshold at the equal error rate.</summary>
    public required double Threshold { get; init; }

    /// <summary>Mean score of target trials, a cosine unless scores were normalized.</summary>
    public required double MeanCosineSame { get; init; }

    /// <summary>Mean score of non-target trials.</summary>
    public required double MeanCosineDifferent { get; init; }

    /// <summary>Groups in alphabetical order.</summary>
    public required IReadOnlyList<GroupResult> Groups { get; init; }

    /// <summary>Confidence interval of <see cref="Eer"/> over speakers; null where none could be drawn.</summary>
    public Interval? EerInterval { get; init; }

    /// <summary>Confidence interval of <see cref="MinDcf01"/> over speakers.</summary>
    public Interval? MinDcf01Interval { get; init; }

    /// <summary>Confidence interval of <see cref="MinDcf05"/> over speakers.</summary>
    public Interval? MinDcf05Interval { get; init; }

    /// <summary>Probability that the intervals cover.</summary>
    public required double Confidence { get; init; }

    /// <summary>Bootstrap draws that held both kinds of trial.</summary>
    public required int BootstrapDraws { get; init; }

    /// <summary>Embeddings that were zero vectors, whose cosines are 0 by definition.</summary>
    public required int ZeroEmbeddings { get; init; }

    /// <summary>One score per trial, in the order of the list.</summary>
    public required IReadOnlyList<float> Scores { get; init; }

    /// <summary>One label per trial, in the order of the list.</summary>
    public required IReadOnlyList<bool> Labels { get; init; }

    /// <summary>All operating points, for curves.</summary>
    public required VerificationMetrics Metrics { get; init; }

    /// <summary>False rejection rates at <see cref="FalseRejection.Reported"/>.</summary>
    public IReadOnlyList<FalseRejection> FrrAtFar { get; init; } = [];

    /// <summary>What <see cref="EvaluationOptions.Calibration"/> is worth here; null where none was given.</summary>
    public CalibrationResult? Calibration { get; init; }

    /// <summary>
    /// One JSON object: <c>eer, minDcf01, minDcf05, trials, groups{name{eer, …}}, …</c>; rates are fractions, a value that does not
    /// exist is null.
    /// </summary>
    /// <param name="indented">Over several lines.</param>
    public string ToJson(bool indented = false)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = indented }))
        {
            json.WriteStartObject();
            WriteJson(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>Writes the properties of <see cref="ToJson"/> into an object that is open, so that a caller can add its own.</summary>
    /// <param name="json">A writer inside an object.</param>
    public void WriteJson(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        json.WriteNumber("eer", Eer);
        json.WriteNumber("minDcf01", MinDcf01);
        json.WriteNumber("minDcf05", MinDcf05);
        json.WriteNumber("trials", Trials);
        json.WriteStartObject("groups");
        foreach (var group in Groups)
        {
            json.WriteStartObject(group.Name);
            WriteNumber(json, "eer", group.Eer);
            WriteNumber(json, "minDcf01", group.MinDcf01);
            WriteNumber(json, "minDcf05", group.MinDcf05);
            json.WriteNumber("trials", group.Trials);
            json.WriteNumber("targets", group.Targets);
            WriteInterval(json, "eerInterval", group.EerInterval);
            WriteRejections(json, group.FrrAtFar);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteNumber("targets", Targets);
        json.WriteNumber("speakers", Speakers);
        json.WriteNumber("threshold", Threshold);
        json.WriteNumber("meanCosineSame", MeanCosineSame);
        json.WriteNumber("meanCosineDifferent", MeanCosineDifferent);
        WriteInterval(json, "eerInterval", EerInterval);
        WriteInterval(json, "minDcf01Interval", MinDcf01Interval);
        WriteInterval(json, "minDcf05Interval", MinDcf05Interval);
        json.WriteNumber("confidence", Confidence);
        json.WriteNumber("bootstrapDraws", BootstrapDraws);
        json.WriteNumber("zeroEmbeddings", ZeroEmbeddings);
        WriteRejections(json, FrrAtFar);
        if (Calibration is { } calibration)
        {
            json.WriteStartObject("calibration");
            json.WriteNumber("cllr", calibration.Cllr);
            json.WriteNumber("minCllr", calibration.MinCllr);
            json.WriteNumber("actDcf01", calibration.ActualDcf01);
            json.WriteNumber("actDcf05", calibration.ActualDcf05);
            json.WriteNumber("threshold", calibration.AtThreshold.Threshold);
            json.WriteNumber("far", calibration.AtThreshold.Far);
            json.WriteNumber("frr", calibration.AtThreshold.Frr);
            json.WriteEndObject();
        }
    }

    private static void WriteRejections(Utf8JsonWriter json, IReadOnlyList<FalseRejection> rejections)
    {
        json.WriteStartArray("frrAtFar");
        foreach (var rejection in rejections)
        {
            json.WriteStartObject();
            json.WriteNumber("far", rejection.Far);
            WriteNumber(json, "frr", rejection.Frr);
            WriteNumber(json, "threshold", rejection.Threshold);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static void WriteInterval(Utf8JsonWriter json, string name, Interval? interval)
    {
        if (interval is not { } ends)
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartArray(name);
        json.WriteNumberValue(ends.Low);
        json.WriteNumberValue(ends.High);
        json.WriteEndArray();
    }
}
