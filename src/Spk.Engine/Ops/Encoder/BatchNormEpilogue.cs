using Spk.Engine.Autograd;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// What the linear map or convolution ahead of a <see cref="BatchNorm"/> does for it while it has its results at hand. In training on a GPU it measures
/// them, which saves a pass over them. In inference it normalises them, so that nothing is left to do.
/// </summary>
/// <remarks>
/// <see cref="BatchNorm.Prepare"/> fills it, then it goes to the map, then to <see cref="BatchNorm.Forward"/>. One object may serve a norm for ever.
/// </remarks>
public sealed class BatchNormEpilogue
{
    /// <summary>Whether the map's result is the norm's: <see cref="BatchNorm.Forward"/> then returns it as it is.</summary>
    public bool Normalizes => Scale is not null;

    /// <summary>Of the activation below 0, as in <see cref="BatchNorm"/>.</summary>
    internal float Slope { get; private set; }

    /// <summary>Per channel, where the map normalises: (activation − mean) · scale + shift.</summary>
    internal Tensor? Mean { get; private set; }

    internal Tensor? Scale { get; private set; }

    internal Tensor? Shift { get; private set; }

    /// <summary>Where the map is to measure: [runs, 3, C], pivot, mean less the pivot and squared deviations of runs of <see cref="RowsEach"/> rows.</summary>
    internal Tensor? Moments { get; private set; }

    internal int RowsEach { get; private set; }

    private Tensor? _measured;

    /// <summary>Asks for moments of activation(x) if they can be had.</summary>
    internal void Measure(float slope)
    {
        Slope = slope;
        Mean = Scale = Shift = Moments = _measured = null;
    }

    /// <summary>Asks for the whole norm.</summary>
    internal void Normalize(float slope, Tensor mean, Tensor scale, Tensor? shift)
    {
        Measure(slope);
        (Mean, Scale, Shift) = (mean, scale, shift);
    }

    /// <summary>Makes room for the moments of y by runs of rows.</summary>
    internal Tensor RentMoments(Tensor y, int rowsEach)
    {
        int rows = y.Shape.Rows;
        Moments = y.Device.Workspace.Rent(new Shape((rows + rowsEach - 1) / rowsEach, 3, y.Shape.Last));
        (RowsEach, _measured) = (rowsEach, y);
        return Moments;
    }

    /// <summary>Whether there are moments of what is to be normalised.</summary>
    internal bool HasMeasured(Tensor x, float slope) => ReferenceEquals(_measured, x) && Slope == slope;

    /// <summary>Refuses to be part of a map that does not fit.</summary>
    internal void Check(Tape? tape, int channels)
    {
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
}
