using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Training.Objectives;

/// <summary>
/// Draws how the rows of a batch are mixed: a random order gives the partners, and every row has a λ of its own. A function of (seed, step), so that
/// a run resumes anywhere.
/// </summary>
internal sealed class RowMixer
{
    private readonly double _alpha;
    private readonly ulong _seed;
    private readonly int[] _partners, _secondLabels;
    private readonly float[] _weights;

    public RowMixer(MixSpec spec, int rows, ulong seed)
    {
        (_alpha, _seed) = (spec.Alpha, seed);
        _partners = new int[rows];
        _secondLabels = new int[rows];
        _weights = new float[rows];
    }

    /// <summary>Partner of each row in the step drawn last.</summary>
    public ReadOnlySpan<int> Partners => _partners;

    /// <summary>Share of each row itself, 1/2 to 1.</summary>
    public ReadOnlySpan<float> Weights => _weights;

    /// <summary>Draws partners and weights of a step.</summary>
    public void Draw(long step)
    {
        for (int i = 0; i < _partners.Length; i++)
        {
            _partners[i] = i;
        }

        new CounterRandom(_seed, RandomPurpose.Mix, step).Shuffle(_partners);
        for (int i = 0; i < _weights.Length; i++)
        {
            var random = new CounterRandom(_seed, RandomPurpose.Mix, step, i + 1);
            double share = Beta(ref random);
            _weights[i] = (float)Math.Max(share, 1 - share);
        }
    }

    /// <summary>The mix of rows that were drawn, on a device.</summary>
    public RowMix Upload(Device device)
    {
        var partners = device.Workspace.Rent(new Shape(_partners.Length), ElementType.Int32);
        partners.CopyIntsFrom(_partners);
        var weights = device.Workspace.Rent(new Shape(_weights.Length));
        weights.CopyFrom(_weights);
        return new RowMix(partners, weights);
    }

    /// <summary>Labels of the partners.</summary>
    /// <param name="labels">Labels of the rows.</param>
    /// <param name="mix">What <see cref="Upload"/> made.</param>
    public LabelMix Labels(ReadOnlySpan<int> labels, RowMix mix)
    {
        for (int i = 0; i < _partners.Length; i++)
        {
            _secondLabels[i] = labels[_partners[i]];
        }

        var second = mix.Weights.Device.Workspace.Rent(new Shape(_secondLabels.Length), ElementType.Int32);
        second.CopyIntsFrom(_secondLabels);
        return new LabelMix(second, mix.Weights);
    }

    private double Beta(ref CounterRandom random)
    {
        double a = Gamma(ref random), b = Gamma(ref random);

        // Both vanish only where α is tiny, and then the distribution has its mass at 0 and 1.
        return a + b > 0 ? a / (a + b) : 1;
    }

    // Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; below 1 by a power of a uniform number.
    private double Gamma(ref CounterRandom random)
    {
        double shape = _alpha < 1 ? _alpha + 1 : _alpha, d = shape - (1.0 / 3), c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double normal = random.NextNormal(), v = 1 + (c * normal);
            double uniform = (random.NextWord() + 1.0) / 4294967296.0;
            v = v * v * v;
            if (v > 0 && Math.Log(uniform) < (0.5 * normal * normal) + d - (d * v) + (d * Math.Log(v)))
            {
                return d * v * (_alpha < 1 ? Math.Pow((random.NextWord() + 1.0) / 4294967296.0, 1 / _alpha) : 1);
            }
        }
    }
}
