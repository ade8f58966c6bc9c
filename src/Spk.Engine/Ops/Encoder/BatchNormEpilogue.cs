using Spk.Engine.Autograd;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// What the linear map or convolution ahead of a <see cref="BatchNorm"/> does for it while it has its results at hand. Where the statistics are those
/// of the batch, on a GPU, it measures them, which saves a pass over them. In inference it normalises them, so that nothing is left to do. With a tape
/// and statistics that are known before, it does nothing.
/// </summary>
/// <remarks>
/// <see cref="BatchNorm.Prepare"/> fills it, then it goes to the map, then to <see cref="BatchNorm.Forward"/>, which uses it up: it must be prepared
/// before every use. The object itself may serve a norm for ever.
/// </remarks>
public sealed class BatchNormEpilogue
{
    // The merge of the moments walks the runs of a channel by few threads: where there are more, and few channels beside each other, as in the first
    // layers of a ResNet, it would take longer than the norm's own pass, whose chunks grow with the rows.
    internal const int MostRuns = 2048;

    private Part _part;
    private Tensor? _result, _timeMeans;
    private bool _hasBias, _wantsTimeMeans;

    // What the map is to do.
    private enum Part
    {
        Unprepared,
        Nothing,
        Moments,
        Norm,
    }

    /// <summary>Whether the map's result is the norm's: <see cref="BatchNorm.Forward"/> then returns it as it is.</summary>
    public bool Normalizes => _part == Part.Norm;

    /// <summary>Of the activation below 0, as in <see cref="BatchNorm"/>.</summary>
    internal float Slope { get; private set; }

    /// <summary>Per channel, where the map normalises: (activation − mean) · scale + shift.</summary>
    internal Tensor? Mean { get; private set; }

    internal Tensor? Scale { get; private set; }

    internal Tensor? Shift { get; private set; }

    /// <summary>What the map measured: [runs, 3, C], pivot, mean less the pivot and squared deviations of runs of <see cref="RowsEach"/> rows.</summary>
    internal Tensor? Moments { get; private set; }

    /// <summary>
    /// What the map summed over time: [runs, 2, C], the rows of a run that belong to the utterance of its first row, and those of the next one. With moments
    /// they are of activation(x) less the run's pivot, else of the norm's result.
    /// </summary>
    internal Tensor? UtteranceSums { get; private set; }

    /// <summary>Of the runs of moments and sums.</summary>
    internal int RowsEach { get; private set; }

    /// <summary>Asks for nothing.</summary>
    internal void Leave() => Begin(Part.Nothing, 1f);

    /// <summary>Asks for moments of activation(x) if they can be had.</summary>
    internal void Measure(float slope) => Begin(Part.Moments, slope);

    /// <summary>Asks for the whole norm.</summary>
    internal void Normalize(float slope, Tensor mean, Tensor scale, Tensor? shift)
    {
        Begin(Part.Norm, slope);
        (Mean, Scale, Shift) = (mean, scale, shift);
    }

    /// <summary>Besides asks for the means over time of the norm's result, by utterance, if they can be had without a pass over it.</summary>
    internal void WantTimeMeans() => _wantsTimeMeans = true;

    /// <summary>Makes room for the moments of y by runs of rows; null where nobody wants them or the norm's own pass is faster.</summary>
    internal Tensor? RentMoments(Tensor y, int rowsEach)
    {
        int rows = y.Shape.Rows, runs = (rows + rowsEach - 1) / rowsEach;
        if (_part != Part.Moments || rows == 0 || runs > MostRuns)
        {
            return null;
        }

        RowsEach = rowsEach;
        return Moments = y.Device.Workspace.Rent(new Shape(runs, 3, y.Shape.Last));
    }

    /// <summary>
    /// Makes room for the sums of utterances of y by runs of rows, after the moments; null where nobody wants them, or where they would be of neither the
    /// norm's result nor what was measured, or where a run could hold rows of three utterances.
    /// </summary>
    internal Tensor? RentUtteranceSums(Tensor y, int rowsEach)
    {
        if (!_wantsTimeMeans || !(Normalizes || Moments is not null) || y.Shape.Rank != 3 || y.Shape[1] < rowsEach)
        {
            return null;
        }

        RowsEach = rowsEach;
        return UtteranceSums = y.Device.Workspace.Rent(new Shape((y.Shape.Rows + rowsEach - 1) / rowsEach, 2, y.Shape.Last));
    }

    /// <summary>Keeps what the map made, and whether its bias will want the sums of the gradient.</summary>
    internal void Record(Tensor y, bool hasBias) => (_result, _hasBias) = (y, hasBias);

    /// <summary>Whether the map that made x will sum the gradient of x over its rows.</summary>
    internal bool WantsRunSums(Tensor x) => _hasBias && ReferenceEquals(_result, x);

    /// <summary>Whether there are moments of what is to be normalised.</summary>
    internal bool HasMeasured(Tensor x, float slope) => Moments is not null && ReferenceEquals(_result, x) && Slope == slope;

    /// <summary>Refuses to be part of a map that does not fit.</summary>
    internal void Check(Tape? tape, int channels)
    {
        CheckPrepared();
        _result = Moments = UtteranceSums = null;
        if (!Normalizes)
        {
            return;
        }

        if (tape is not null)
        {
            throw new InvalidOptionException("A batch norm within the map ahead of it has no gradient: prepare it with the tape that the map records on.");
        }

        if (Mean!.Count != channels)
        {
            throw new ShapeException($"A batch norm of {Mean.Count} channels cannot be part of a map to {channels} channels.");
        }
    }

    /// <summary>Refuses to have been filled for another norm than the one that now is to end it.</summary>
    internal void CheckEnd(Tape? tape, Tensor x, bool training, float slope, Tensor? output)
    {
        CheckPrepared();
        if (!Normalizes)
        {
            return;
        }

        if (tape is not null || training || slope != Slope)
        {
            throw new InvalidOptionException("A batch norm was prepared for inference within the map ahead of it: use the same tape, training and activation now.");
        }

        if (!ReferenceEquals(_result, x))
        {
            throw new InvalidOptionException("A batch norm was prepared to be done by the map ahead of it: give its epilogue to the map that makes x.");
        }

        if (output is not null && !ReferenceEquals(output, x))
        {
            throw new InvalidOptionException("A batch norm within the map ahead of it writes where the map does: give the output to the map.");
        }
    }

    /// <summary>
    /// Forgets everything: tensors of a workspace are used again, so what was recorded could match others later. Only means over time are kept, for
    /// whoever asked for them.
    /// </summary>
    internal void UseUp(Tensor? timeMeans)
    {
        Begin(Part.Unprepared, 1f);
        _timeMeans = timeMeans;
    }

    /// <summary>The means over time, [N, C], of the norm's result, once; null where they are not there.</summary>
    internal Tensor? TakeTimeMeans()
    {
        var means = _timeMeans;
        _timeMeans = null;
        return means;
    }

    private void CheckPrepared()
    {
        if (_part == Part.Unprepared)
        {
            throw new InvalidOptionException("A batch norm's epilogue serves once: call BatchNorm.Prepare before every map.");
        }
    }

    private void Begin(Part part, float slope)
    {
        (_part, Slope) = (part, slope);
        Mean = Scale = Shift = Moments = UtteranceSums = _result = _timeMeans = null;
        _hasBias = _wantsTimeMeans = false;
    }
}
