using System.Globalization;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Optim;

/// <summary>Argument checks that the optimiser ops share.</summary>
internal static class OptimChecks
{
    public static void RequireAtLeastZero(double value, string name)
    {
        if (!(value >= 0) || !double.IsFinite(value))
        {
            throw new InvalidOptionException($"{name} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: it must be 0 or more.");
        }
    }

    public static void RequireAboveZero(double value, string name)
    {
        if (!(value > 0) || !double.IsFinite(value))
        {
            throw new InvalidOptionException($"{name} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: it must be above 0.");
        }
    }

    public static void RequireBelowOne(double value, string name)
    {
        if (!(value >= 0 && value < 1))
        {
            throw new InvalidOptionException($"{name} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: it must be 0 to below 1.");
        }
    }

    public static void RequireZeroToOne(double value, string name)
    {
        if (!(value >= 0 && value <= 1))
        {
            throw new InvalidOptionException($"{name} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: it must be 0 to 1.");
        }
    }

    public static void RequireLike(Tensor values, Tensor other, string name)
    {
        ArgumentNullException.ThrowIfNull(other, name);
        if (other.Count != values.Count || other.ElementType != ElementType.Float32 || !other.IsContiguous || !values.IsContiguous)
        {
            throw new ShapeException(
                $"{name} must be {values.Count} contiguous f32 elements like the values {values.Shape}; given {other.ElementType} {other.Shape}.");
        }
    }

    /// <summary>Undecayed runs are pairs (start, end) in ascending order without overlap.</summary>
    public static void RequireRuns(Tensor values, Tensor? undecayed)
    {
        if (undecayed is not null && (undecayed.ElementType != ElementType.Int32 || undecayed.Count % 2 != 0))
        {
            throw new ShapeException(
                $"Runs without decay are pairs of i32 (start, end) over {values.Count} elements; given {undecayed.ElementType} {undecayed.Shape}.");
        }
    }
}
