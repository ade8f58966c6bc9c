using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Softmax cross-entropy over scaled cosines of unit rows: the arguments and the per-anchor results that
/// <see cref="RowSoftmax"/> and <see cref="PairSoftmax"/> share.
/// </summary>
internal unsafe struct CosineProblem
{
    /// <summary>log2(e), so that exponentials are powers of two.</summary>
    private const double LogTwoOfE = 1.4426950408889634;

    public const double LogOfTwo = 0.6931471805599453;

    public const int MostHardest = 64;

    /// <summary>Anchors, candidates that may take a gradient, constant candidates: contiguous unit rows of Width elements.</summary>
    public float* Queries, Keys, Memory;
    public int Rows, KeyRows, MemoryRows, Width;

    /// <summary>Index of each anchor's positive among the candidates (keys, then memory).</summary>
    public int* Positives;

    /// <summary>Anchor i is candidate i itself, no negative of its own.</summary>
    public bool ExcludeSelf;

    /// <summary>Above 0: of the keys with the anchor's index modulo this only the positive is a candidate.</summary>
    public int ItemCount;

    /// <summary>False where of the keys only the positive is a candidate.</summary>
    public bool KeysAreNegatives;

    /// <summary>Labels of anchors and candidates, the latter padded to 16 elements with −1; null for no mask. Below 0 is unknown.</summary>
    public int* QueryLabels, CandidateLabels;

    /// <summary>Weights of the losses, repeated after WeightCount anchors; null for 1.</summary>
    public float* AnchorWeights;
    public int WeightCount;

    /// <summary>What all losses are multiplied by.</summary>
    public float Factor;

    public MarginRule Margin;

    /// <summary>Keys of a class, of which only the nearest counts; the positives are then classes. Below 2: every key is its own class.</summary>
    public int SubCentres;

    /// <summary>Negatives that <see cref="Hard"/> acts on, those with the highest cosines; up to <see cref="MostHardest"/>.</summary>
    public int Hardest;
    public HardNegativeRule Hard;

    /// <summary>ĝ of every anchor where the margin adapts to it, else null.</summary>
    public float* Qualities;

    /// <summary>k = log2(e)/τ, rounded to f32: every formula uses this one, so the rounding is one of τ and not of a logit.</summary>
    public float Scale;

    // Results per anchor.
    public double* Losses, CosineSums, CosineCounts;
    public float* PositiveCosines, HighestNegatives;

    public readonly int Candidates => KeyRows + MemoryRows;

    /// <summary>A cosine that stands for "no candidate": its power is exactly 0 for this k.</summary>
    public readonly float Masked => Math.Min(ScaledPower.Masked, -4 * (float)ScaledPower.Range / Scale);

    public static int Padded(int count) => (count + 15) & ~15;

    public static float ScaleOf(double inverseTemperature) => (float)(LogTwoOfE * inverseTemperature);

    public static double* RentDoubles(CpuDevice cpu, int count) => (double*)cpu.Workspace.Rent(new Shape(2 * count)).Address;

    public void RentResults(CpuDevice cpu)
    {
        Losses = RentDoubles(cpu, Rows);
        CosineSums = RentDoubles(cpu, Rows);
        CosineCounts = RentDoubles(cpu, Rows);
        PositiveCosines = cpu.Workspace.Rent(new Shape(Rows)).Data;
        HighestNegatives = cpu.Workspace.Rent(new Shape(Rows)).Data;
    }

    /// <summary>
    /// From the sum of the negatives' powers (in units of 2^shift) to loss, to the negatives' share of the softmax, and to
    /// the factor that turns powers into derivatives. The loss is log(1 + negatives/positive): no digits cancel when it is small.
    /// </summary>
    public readonly void Solve(int anchor, double negatives, double shift, out double positiveGradient, out float powerFactor)
    {
        double logit = Margined(anchor, PositiveCosines[anchor], out double slope) * Scale;
        double x = Math.Log(negatives) + (LogOfTwo * (shift - logit));
        double tail = Math.Exp(-Math.Abs(x));
        double weight = AnchorWeights is null ? Factor : Factor * AnchorWeights[anchor % WeightCount];
        Losses[anchor] = weight * (Math.Max(x, 0) + LogOnePlus(tail));
        double share = x >= 0 ? 1 / (1 + tail) : tail / (1 + tail);

        // 1/(τ · anchors) makes a derivative by a logit one by a cosine.
        double gradientScale = weight * Scale * LogOfTwo / Rows;
        positiveGradient = -slope * share * gradientScale;
        powerFactor = (float)(gradientScale / (negatives + Math.Exp(LogOfTwo * (logit - shift))));
    }

    /// <summary>φ of the cosine of an anchor with its positive.</summary>
    public readonly double Margined(int anchor, float cosine, out double slope) =>
        Margin.Apply(cosine, Qualities is null ? 0 : Qualities[anchor], out slope);

    /// <summary>Mean loss and statistics, summed in the order of the anchors.</summary>
    public readonly void Summarize(float* loss, float* statistics)
    {
        double lossSum = 0, positives = 0, cosines = 0, count = 0;
        int hits = 0;
        for (int i = 0; i < Rows; i++)
        {
            lossSum += Losses[i];
            positives += PositiveCosines[i];
            cosines += CosineSums[i];
            count += CosineCounts[i];
            hits += PositiveCosines[i] >= HighestNegatives[i] ? 1 : 0;
        }

        loss[0] = (float)(lossSum / Rows);
        statistics[0] = (float)(positives / Rows);
        statistics[1] = (float)(cosines / count);
        statistics[2] = (float)hits / Rows;
    }

    /// <summary>Masks the candidates of the anchor's own label among <paramref name="count"/> cosines (a multiple of 16).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void MaskLabels(int anchor, float* cosines, int firstCandidate, int count)
    {
        if (QueryLabels is null || QueryLabels[anchor] < 0)
        {
            return;
        }

        var own = Vector512.Create(QueryLabels[anchor]);
        var masked = Vector512.Create(Masked);
        for (int i = 0; i < count; i += Vector512<float>.Count)
        {
            var same = Vector512.Equals(Vector512.Load(CandidateLabels + firstCandidate + i), own).AsSingle();
            Vector512.ConditionalSelect(same, masked, Vector512.Load(cosines + i)).Store(cosines + i);
        }
    }

    // log(1 + x) for 0 <= x <= 1 to full relative precision (Kahan's correction).
    public static double LogOnePlus(double x)
    {
        double sum = 1 + x;
        return sum == 1 ? x : Math.Log(sum) * (x / (sum - 1));
    }
}
