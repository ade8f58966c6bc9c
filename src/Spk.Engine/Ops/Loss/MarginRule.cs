using System.Globalization;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>φ and its slope. Applied to one cosine per anchor, hence in f64.</summary>
internal readonly struct MarginRule
{
    // Floor of 1 − c² in the slope only: the value stays exact, the gradient stays finite at c = ±1.
    private const double SineSquaredFloor = 1e-7;

    private readonly MarginKind _kind;
    private readonly double _margin, _cosine, _sine, _threshold, _fallback;

    public MarginRule(MarginKind kind, float margin)
    {
        _kind = margin == 0 ? MarginKind.None : kind;
        _margin = margin;
        _cosine = Math.Cos(_margin);
        _sine = Math.Sin(_margin);
        _threshold = Math.Cos(Math.PI - _margin);
        _fallback = _margin * Math.Sin(Math.PI - _margin);
    }

    /// <summary>An upper bound of c − φ(c), for the range of the exponentials.</summary>
    public double LargestShift => _kind == MarginKind.None ? 0 : _margin;

    /// <exception cref="InvalidOptionException">The margin is outside its range.</exception>
    public static MarginRule Create(MarginKind kind, float margin)
    {
        double highest = kind switch
        {
            MarginKind.None => double.PositiveInfinity,
            MarginKind.Additive => 2,
            MarginKind.AdditiveAngular => Math.PI / 2,
            _ => throw new InvalidOptionException($"margin kind {(int)kind} is unknown: allowed are None, Additive and AdditiveAngular."),
        };
        if (kind != MarginKind.None && !(margin >= 0 && margin <= highest))
        {
            string allowed = kind == MarginKind.Additive ? "0 to 2" : "0 to π/2 (radians)";
            throw new InvalidOptionException(
                $"margin = {margin.ToString(CultureInfo.InvariantCulture)} is out of range: {kind} allows {allowed}.");
        }

        return new MarginRule(kind, margin);
    }

    public double Apply(double c, out double slope)
    {
        slope = 1;
        switch (_kind)
        {
            case MarginKind.None:
                return c;
            case MarginKind.Additive:
                return c - _margin;
            default:
                if (c <= _threshold)
                {
                    return c - _fallback;
                }

                double squared = 1 - (c * c);
                slope = _cosine + (_sine * c / Math.Sqrt(squared < SineSquaredFloor ? SineSquaredFloor : squared));
                return (c * _cosine) - (Math.Sqrt(squared < 0 ? 0 : squared) * _sine);
        }
    }
}
