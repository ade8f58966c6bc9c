using Spk.Training.Evaluation;
using Spk.Training.Objectives;
using Spk.Training.Reports;

namespace Spk.Training;

/// <summary>The curves of a run for TensorBoard.</summary>
internal sealed class RunCurves(string folder) : IDisposable
{
    private readonly TensorBoardWriter _writer = new(folder);

    public void AddStep(in StepRecord record)
    {
        _writer.Scalar("train/loss", record.Loss, record.Step);
        _writer.Scalar("train/learning_rate", record.LearningRate, record.Step);
        _writer.Scalar("train/margin", record.Margin, record.Step);
        AddKnown("train/cos_positive", record.Statistics.PositiveCosine, record.Step);
        AddKnown("train/cos_negative", record.Statistics.NegativeCosine, record.Step);
        AddKnown("train/hit", record.Statistics.HitRate, record.Step);
        AddKnown("train/teacher_entropy", record.Statistics.TeacherEntropy, record.Step);
        AddKnown("train/divergence", record.Statistics.Divergence, record.Step);
        _writer.Scalar("train/gradient_norm", record.GradientNorm, record.Step);
        _writer.Scalar("train/embedding_norm", record.EmbeddingNorm, record.Step);
        _writer.Scalar("speed/utterances_per_second", record.UtterancesPerSecond, record.Step);
        _writer.Scalar("speed/data_share", record.DataShare, record.Step);
    }

    public void AddEpoch(long step, in EpochMeans means, EmbeddingSpread spread, IReadOnlyList<EpochFigure> figures)
    {
        _writer.Scalar("epoch/loss", means.Loss, step);
        AddKnown("epoch/cos_positive", means.PositiveCosine, step);
        AddKnown("epoch/cos_negative", means.NegativeCosine, step);
        AddKnown("epoch/hit", means.HitRate, step);
        AddKnown("epoch/teacher_entropy", means.TeacherEntropy, step);
        AddKnown("epoch/divergence", means.Divergence, step);
        _writer.Scalar("epoch/spread", spread.Spread, step);
        _writer.Scalar("epoch/effective_rank", spread.EffectiveRank, step);
        foreach (var (name, value) in figures)
        {
            AddKnown($"epoch/{name}", (float)value, step);
        }
    }

    public void AddEvaluation(long step, string list, EvaluationResult result)
    {
        _writer.Scalar($"eval/{list}/eer", (float)result.Eer, step);
        _writer.Scalar($"eval/{list}/min_dcf_01", (float)result.MinDcf01, step);
        _writer.Scalar($"eval/{list}/min_dcf_05", (float)result.MinDcf05, step);
    }

    private void AddKnown(string name, float value, long step)
    {
        if (!float.IsNaN(value))
        {
            _writer.Scalar(name, value, step);
        }
    }

    public void Flush() => _writer.Flush();

    public void Dispose() => _writer.Dispose();
}
