using Spk.Engine.Tensors;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// What the compactness of an epoch's dialogues shows: how well it tells mixed ones, and how weights are spread. Counts the steps that this
/// process made.
/// </summary>
internal sealed class CompactnessFigures
{
    private static readonly (string Name, double Share)[] Quantiles =
        [("rejectionWeight5", 0.05), ("rejectionWeight25", 0.25), ("rejectionWeight50", 0.5), ("rejectionWeight75", 0.75), ("rejectionWeight95", 0.95)];

    private readonly int _batch;
    private readonly int[]? _trueSpeakers;
    private readonly float[] _compactness, _weights;
    private readonly Contamination[] _contamination;
    private int _count;

    public CompactnessFigures(ObjectiveContext context)
    {
        _batch = context.Batch;
        _trueSpeakers = context.Groups?.TrueSpeakers;
        _compactness = new float[context.Batch * context.BatchesPerEpoch];
        _weights = new float[_compactness.Length];
        _contamination = new Contamination[_compactness.Length];
    }

    private enum Contamination : byte
    {
        Unknown,
        Pure,
        Mixed,
    }

    public float LastMean { get; private set; } = float.NaN;

    /// <summary>Looks up whether the drawn utterances of each row have one speaker.</summary>
    public void Prepare(TrainingBatch batch)
    {
        _count = _count + _batch > _compactness.Length ? 0 : _count;
        for (int row = 0; row < _batch; row++)
        {
            _contamination[_count + row] = _trueSpeakers is null ? Contamination.Unknown : Of(batch, row, _trueSpeakers);
        }
    }

    /// <summary>Reads back a step.</summary>
    public void Add(Tensor compactness, Tensor? weights)
    {
        var values = _compactness.AsSpan(_count, _batch);
        compactness.CopyTo(values);
        double sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        LastMean = (float)(sum / _batch);
        if (weights is null)
        {
            _weights.AsSpan(_count, _batch).Fill(1);
        }
        else
        {
            weights.CopyTo(_weights.AsSpan(_count, _batch));
        }

        _count += _batch;
    }

    /// <summary>Ends an epoch.</summary>
    /// <param name="figures">Receives its figures.</param>
    /// <param name="weighs">Whether there are weights to tell of.</param>
    public void Close(ICollection<EpochFigure> figures, bool weighs)
    {
        var seen = _compactness.AsSpan(0, _count);
        if (_trueSpeakers is not null)
        {
            figures.Add(new EpochFigure("compactnessAuc", Auc()));
            figures.Add(new EpochFigure("mixedShare", Share(i => 1)));
            if (weighs)
            {
                figures.Add(new EpochFigure("mixedWeightShare", Share(i => _weights[i])));
            }
        }

        if (weighs && _count > 0)
        {
            float[] sorted = _weights[..seen.Length];
            Array.Sort(sorted);
            foreach (var (name, share) in Quantiles)
            {
                figures.Add(new EpochFigure(name, sorted[(int)Math.Round(share * (sorted.Length - 1))]));
            }
        }

        _count = 0;
    }

    private static Contamination Of(TrainingBatch batch, int row, int[] trueSpeakers)
    {
        int first = trueSpeakers[batch.CropUtterances[row]];
        var found = Contamination.Pure;
        for (int view = 0; view < batch.Views; view++)
        {
            int speaker = trueSpeakers[batch.CropUtterances[(view * batch.Size) + row]];
            if (speaker < 0 || first < 0)
            {
                return Contamination.Unknown;
            }

            found = speaker == first ? found : Contamination.Mixed;
        }

        return found;
    }

    // Share of mixed rows, each counting as much as said; NaN where none is known.
    private double Share(Func<int, double> weight)
    {
        double mixed = 0, all = 0;
        for (int i = 0; i < _count; i++)
        {
            all += _contamination[i] == Contamination.Unknown ? 0 : weight(i);
            mixed += _contamination[i] == Contamination.Mixed ? weight(i) : 0;
        }

        return all > 0 ? mixed / all : double.NaN;
    }

    // The share of pairs of a pure and a mixed row in which the pure one is more compact, ties counting half: the area under the ROC curve.
    private double Auc()
    {
        var ranked = Enumerable.Range(0, _count).Where(i => _contamination[i] != Contamination.Unknown)
            .Select(i => (Compactness: _compactness[i], Mixed: _contamination[i] == Contamination.Mixed)).OrderBy(r => r.Compactness).ToArray();
        double won = 0, below = 0;
        for (int start = 0; start < ranked.Length;)
        {
            int end = start;
            double mixed = 0;
            for (; end < ranked.Length && ranked[end].Compactness == ranked[start].Compactness; end++)
            {
                mixed += ranked[end].Mixed ? 1 : 0;
            }

            won += (end - start - mixed) * (below + (mixed / 2));
            below += mixed;
            start = end;
        }

        return won / (below * (ranked.Length - below));
    }
}
