namespace Spk.Training.Data.Synthesis;

/// <summary>A second-order filter, y = b0 x + b1 x₁ + b2 x₂ − a1 y₁ − a2 y₂, whose coefficients may change while it runs.</summary>
internal struct Resonator
{
    private float _b0, _b1, _b2, _a1, _a2;
    private float _x1, _x2, _y1, _y2;

    /// <summary>A formant: a pole pair with unit gain at 0 Hz.</summary>
    public void SetFormant(float hz, float bandwidth, float rate)
    {
        float radius = MathF.Exp(-MathF.PI * bandwidth / rate);
        _a1 = -2f * radius * MathF.Cos(2f * MathF.PI * hz / rate);
        _a2 = radius * radius;
        _b0 = 1f + _a1 + _a2;
        (_b1, _b2) = (0, 0);
    }

    /// <summary>A band-pass with unit gain at its centre.</summary>
    public void SetBandPass(float hz, float bandwidth, float rate)
    {
        float radius = MathF.Exp(-MathF.PI * Math.Min(bandwidth, 0.45f * rate) / rate);
        float angle = 2f * MathF.PI * Math.Min(hz, 0.46f * rate) / rate;
        _a1 = -2f * radius * MathF.Cos(angle);
        _a2 = radius * radius;
        (_b0, _b1, _b2) = (0.5f * (1f - _a2), 0, -0.5f * (1f - _a2));
    }

    /// <summary>A bell that raises or lowers a band (bilinear transform of an analogue peaking section).</summary>
    public void SetPeak(float hz, float q, float decibels, float rate)
    {
        float gain = MathF.Pow(10, decibels / 40), angle = 2f * MathF.PI * Math.Min(hz, 0.46f * rate) / rate;
        float alpha = MathF.Sin(angle) / (2f * q), cosine = -2f * MathF.Cos(angle), scale = 1f / (1f + (alpha / gain));
        (_b0, _b1, _b2) = ((1f + (alpha * gain)) * scale, cosine * scale, (1f - (alpha * gain)) * scale);
        (_a1, _a2) = (cosine * scale, (1f - (alpha / gain)) * scale);
    }

    /// <summary>A Butterworth high-pass or low-pass of second order.</summary>
    public void SetPass(float hz, bool high, float rate)
    {
        float angle = 2f * MathF.PI * Math.Min(hz, 0.46f * rate) / rate, cosine = MathF.Cos(angle);
        float alpha = MathF.Sin(angle) / MathF.Sqrt(2f), scale = 1f / (1f + alpha);
        _b0 = _b2 = (high ? 1f + cosine : 1f - cosine) / 2f * scale;
        _b1 = (high ? -2f : 2f) * _b0;
        (_a1, _a2) = (-2f * cosine * scale, (1f - alpha) * scale);
    }

    public float Next(float x)
    {
        float y = (_b0 * x) + (_b1 * _x1) + (_b2 * _x2) - (_a1 * _y1) - (_a2 * _y2);
        (_x2, _x1, _y2, _y1) = (_x1, x, _y1, y);
        return y;
    }
}
