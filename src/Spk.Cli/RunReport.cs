using System.Text.Json;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Evaluation;
using Spk.Training.Reports;

namespace Spk.Cli;

/// <summary>Gathers a run's log and its evaluation into report.html.</summary>
internal static class RunReport
{
    /// <summary>Writes the report of a run.</summary>
    /// <param name="folder">The run.</param>
    /// <param name="before">The evaluation of the untrained encoder; null for none.</param>
    /// <param name="after">The evaluation the report is about; null for curves only.</param>
    /// <param name="table">Its embeddings, for the map; null for no map.</param>
    /// <param name="facts">Lines of the summary.</param>
    /// <param name="speakerOf">Speaker of an utterance id; null reads it off the path.</param>
    /// <returns>Path of the page.</returns>
    public static string Write(
        RunFolder folder, EvaluationResult? before, EvaluationResult? after, EmbeddingTable? table, IEnumerable<ReportField> facts, Func<string, string>? speakerOf = null)
    {
        var log = Log.Read(folder.Log);
        var warnings = log.Warnings.Distinct().ToList();
        if (after?.ZeroEmbeddings > 0)
        {
            warnings.Add($"{after.ZeroEmbeddings} embeddings are zero vectors: their cosines are 0 by definition.");
        }

        HtmlReport.Write(folder.Report, new ReportData
        {
            Title = $"Run {Path.GetFileName(Path.GetFullPath(folder.Path))}",
            Subtitle = Path.GetFullPath(folder.Path),
            Summary = [.. facts],
            Warnings = warnings,
            Before = before,
            After = after,
            Loss = log.Curve("loss"),
            LearningRate = log.Curve("learningRate"),
            EerByEpoch = [.. log.Eer.Select(list => new ReportSeries(list.Key, list.Value))],
            Charts = Charts(log),
            Map = table is null ? [] : EmbeddingMap.Compute(table, EmbeddingMapMethod.TSne, speakerOf),
            MapMethod = "t-SNE",
            Recipe = File.Exists(folder.Recipe) ? File.ReadAllText(folder.Recipe) : null,
        });
        return folder.Report;
    }

    private static List<ReportChart> Charts(Log log)
    {
        List<ReportChart> charts = [new("Cosines in training", "step", [new("same row", log.Curve("cosPositive")), new("other rows", log.Curve("cosNegative"))])];
        Add("Weights of dialogues", "Percentiles of the weights that soft rejection gave in an epoch.",
            ("5 %", "rejectionWeight5"), ("25 %", "rejectionWeight25"), ("median", "rejectionWeight50"), ("75 %", "rejectionWeight75"), ("95 %", "rejectionWeight95"));
        Add("Dialogues of several speakers", "How well compactness tells them (area under the ROC curve), their share of the rows, and of the weight.",
            ("area", "compactnessAuc"), ("share of rows", "mixedShare"), ("share of weight", "mixedWeightShare"));
        return charts;

        void Add(string title, string caption, params (string Name, string Key)[] curves)
        {
            ReportSeries[] known = [.. curves.Select(c => new ReportSeries(c.Name, log.EpochCurve(c.Key))).Where(s => s.Points.Count > 0)];
            if (known.Length > 0)
            {
                charts.Add(new ReportChart(title, "epoch", known, Caption: caption));
            }
        }
    }

    private sealed class Log
    {
        // A page with a hundred thousand points is slow to open and shows no more.
        private const int MostPoints = 1000;

        private readonly List<(double At, Dictionary<string, double> Values)> _steps = [], _epochs = [];

        public List<string> Warnings { get; } = [];

        public Dictionary<string, List<ReportPoint>> Eer { get; } = [];

        public static Log Read(string path)
        {
            var log = new Log();
            if (!File.Exists(path))
            {
                return log;
            }

            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                try
                {
                    using var json = JsonDocument.Parse(line);
                    log.Add(json.RootElement);
                }
                catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
                {
                    throw new DataFormatException($"{path}, line {number} is not what training writes: {e.Message}", e);
                }
            }

            return log;
        }

        public List<ReportPoint> Curve(string name) => Curve(_steps, name);

        public List<ReportPoint> EpochCurve(string name) => Curve(_epochs, name);

        private static List<ReportPoint> Curve(List<(double At, Dictionary<string, double> Values)> lines, string name)
        {
            int every = Math.Max(1, (lines.Count + MostPoints - 1) / MostPoints);
            return [.. lines.Where((_, i) => i % every == 0).Where(l => l.Values.ContainsKey(name)).Select(l => new ReportPoint(l.At, l.Values[name]))];
        }

        private void Add(JsonElement line)
        {
            double step = line.GetProperty("step").GetDouble();
            switch (line.GetProperty("kind").GetString())
            {
                case "step":
                    _steps.Add((step, Numbers(line)));
                    break;
                case "epoch":
                    _epochs.Add((line.GetProperty("epoch").GetDouble(), Numbers(line)));
                    break;
                case "eval":
                    string list = line.GetProperty("list").GetString() ?? "trials";
                    if (!Eer.TryGetValue(list, out var points))
                    {
                        Eer[list] = points = [];
                    }

                    points.Add(new ReportPoint(line.GetProperty("epoch").GetDouble(), line.GetProperty("eer").GetDouble()));
                    break;
                case "warning":
                    Warnings.Add($"Step {step:F0}: {line.GetProperty("message").GetString()}");
                    break;
            }
        }

        private static Dictionary<string, double> Numbers(JsonElement line) =>
            line.EnumerateObject().Where(f => f.Value.ValueKind == JsonValueKind.Number).ToDictionary(f => f.Name, f => f.Value.GetDouble(), StringComparer.Ordinal);
    }
}
