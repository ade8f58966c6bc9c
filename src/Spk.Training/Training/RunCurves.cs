using Spk.Training.Evaluation;
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
        _writer.Scalar("train/cos_positive", record.PositiveCosine, record.Step);
        _writer.Scalar("train/cos_negative", record.NegativeCosine, record.Step);
        _writer.Scalar("train/hit", record.HitRate, record.Step);
        _writer.Scalar("train/gradient_norm", record.GradientNorm, record.Step);
        _writer.Scalar("train/embedding_norm", record.EmbeddingNorm, record.Step);
        _writer.Scalar("speed/utterances_per_second", record.UtterancesPerSecond, record.Step);
        _writer.Scalar("speed/data_share", record.DataShare, record.Step);
    }

    public void AddEpoch(long step, in EpochMeans means, EmbeddingSpread spread)
    {
        _writer.Scalar("epoch/loss", means.Loss, step);
        _writer.Scalar("epoch/cos_positive", means.PositiveCosine, step);
        _writer.Scalar("epoch/cos_negative", means.NegativeCosine, step);
        _writer.Scalar("epoch/hit", means.HitRate, step);
        _writer.Scalar("epoch/spread", spread.Spread, step);
        _writer.Scalar("epoch/effective_rank", spread.EffectiveRank, step);
    }

    public void AddEvaluation(long step, string list, EvaluationResult result)
    {
        _writer.Scalar($"eval/{list}/eer", (float)result.Eer, step);
        _writer.Scalar($"eval/{list}/min_dcf_01", (float)result.MinDcf01, step);
        _writer.Scalar($"eval/{list}/min_dcf_05", (float)result.MinDcf05, step);
    }

    public void Flush() => _writer.Flush();

    public void Dispose() => _writer.Dispose();
}
