using System.Globalization;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>φ and its slope. Applied to one cosine per anchor, hence in f64.</summary>
internal readonly struct MarginRule
{
    private enum Form
    {
        None,
        Additive,
        AdditiveAngular,
        Adaptive,
    }

    // AdaFace keeps cosines this far from ±1, and angles from 0 and π.
    private const double AdaptiveEdge = 1e-3;

    // Floor of 1 − c² in the slope only: the value stays exact, the gradient stays finite at c = ±1.
    private const double SineSquaredFloor = 1e-7;

    private readonly Form _form;
    private readonly double _margin, _cosine, _sine, _threshold, _fallback;

    public MarginRule(MarginKind kind, float margin)
        : this(margin == 0 ? Form.None : (Form)kind, margin)
    {
    }

    private MarginRule(Form form, float margin)
    {
        _form = form;
        _margin = margin;
        _cosine = Math.Cos(_margin);
        _sine = Math.Sin(_margin);
        _threshold = Math.Cos(Math.PI - _margin);
        _fallback = _margin * Math.Sin(Math.PI - _margin);
    }

    /// <summary>An upper bound of c − φ(c), for the range of the exponentials.</summary>
    public double LargestShift => _form switch { Form.None => 0, Form.Adaptive => 2 * _margin, _ => _margin };

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

    /// <summary>The rule of AdaFace, whose margin depends on each row's quality.</summary>
    /// <exception cref="InvalidOptionException">The margin is outside its range.</exception>
    public static MarginRule Adaptive(float margin)
    {
        // Also says where the bound lies: an angle is moved by the margin at most.
        _ = Create(MarginKind.AdditiveAngular, margin);
        return new MarginRule(Form.Adaptive, margin);
    }

    /// <summary>φ(c) and φ'(c).</summary>
    /// <param name="c">The cosine.</param>
    /// <param name="quality">ĝ of the row, −1 to 1; only AdaFace's rule reads it.</param>
    /// <param name="slope">The derivative.</param>
    public double Apply(double c, double quality, out double slope)
    {
        slope = 1;
        switch (_form)
        {
            case Form.None:
                return c;
            case Form.Additive:
                return c - _margin;
            case Form.Adaptive:
                return ApplyAdaptive(c, _margin * quality, out slope);
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

    // cos(clip(θ − a, ε, π − ε)) − m − a with θ = acos c; where anything is clipped there is no slope.
    private double ApplyAdaptive(double c, double angle, out double slope)
    {
        double offset = -_margin - angle;
        double kept = c < AdaptiveEdge - 1 ? AdaptiveEdge - 1 : c > 1 - AdaptiveEdge ? 1 - AdaptiveEdge : c;
        slope = 0;
        if (angle > -AdaptiveEdge && kept > Math.Cos(angle + AdaptiveEdge))
        {
            return Math.Cos(AdaptiveEdge) + offset;
        }

        if (angle < AdaptiveEdge && kept < -Math.Cos(AdaptiveEdge - angle))
        {
            return offset - Math.Cos(AdaptiveEdge);
        }

        double sine = Math.Sqrt(1 - (kept * kept)), cosineOfAngle = Math.Cos(angle), sineOfAngle = Math.Sin(angle);
        if (kept == c)
        {
            slope = cosineOfAngle - (kept * sineOfAngle / sine);
        }

        return (kept * cosineOfAngle) + (sine * sineOfAngle) + offset;
    }
}
