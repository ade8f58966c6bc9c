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
            Charts = [new ReportChart("Cosines in training", "step", [new("same utterance", log.Curve("cosPositive")), new("other utterances", log.Curve("cosNegative"))])],
            Map = table is null ? [] : EmbeddingMap.Compute(table, EmbeddingMapMethod.TSne, speakerOf),
            MapMethod = "t-SNE",
            Recipe = File.Exists(folder.Recipe) ? File.ReadAllText(folder.Recipe) : null,
        });
        return folder.Report;
    }

    private sealed class Log
    {
        // A page with a hundred thousand points is slow to open and shows no more.
        private const int MostPoints = 1000;

        private readonly List<(double Step, Dictionary<string, double> Values)> _steps = [];

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

        public List<ReportPoint> Curve(string name)
        {
            int every = Math.Max(1, (_steps.Count + MostPoints - 1) / MostPoints);
            return [.. _steps.Where((_, i) => i % every == 0).Where(s => s.Values.ContainsKey(name)).Select(s => new ReportPoint(s.Step, s.Values[name]))];
        }

        private void Add(JsonElement line)
        {
            double step = line.GetProperty("step").GetDouble();
            switch (line.GetProperty("kind").GetString())
            {
                case "step":
                    var values = new Dictionary<string, double>(StringComparer.Ordinal);
                    foreach (var field in line.EnumerateObject().Where(f => f.Value.ValueKind == JsonValueKind.Number))
                    {
                        values[field.Name] = field.Value.GetDouble();
                    }

                    _steps.Add((step, values));
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
    }
}
