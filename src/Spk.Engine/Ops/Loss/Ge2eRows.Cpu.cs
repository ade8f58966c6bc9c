using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Ops.Loss;

/// <summary>The loss of some rows from their cosines, which become the derivatives by them in place.</summary>
internal unsafe struct Ge2eRows : IParallelBody
{
    private const int RowsPerItem = 16;

    public float* Cosines, OwnCosines, OwnGradients, Weights;
    public int Stride, Dialogues, Count, WeightCount;
    public Ge2eForm Form;
    public float Scale, Offset;

    /// <summary>[3, rows]: the loss, and its derivatives by scale and offset.</summary>
    public double* Results;

    public readonly int Items => (Count + RowsPerItem - 1) / RowsPerItem;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int end = Math.Min(Count, (index + 1) * RowsPerItem);
        for (int row = index * RowsPerItem; row < end; row++)
        {
            double weight = Weights == null ? 1.0 / Count : (double)Weights[row % WeightCount] / Count;
            if (Form == Ge2eForm.Softmax)
            {
                Softmax(row, weight);
            }
            else
            {
                Contrast(row, weight);
            }
        }
    }

    /// <summary>The mean loss and the derivatives by scale and offset, summed in the order of the rows.</summary>
    public readonly void Summarize(float* loss, float* gradients)
    {
        double sum = 0, byScale = 0, byOffset = 0;
        for (int row = 0; row < Count; row++)
        {
            sum += Results[row];
            byScale += Results[Count + row];
            byOffset += Results[(2 * Count) + row];
        }

        loss[0] = (float)sum;
        gradients[0] = (float)byScale;
        gradients[1] = (float)byOffset;
    }

    // Cross-entropy as log(1 + others / own), which loses no digits when it is small.
    private readonly void Softmax(int row, double weight)
    {
        var problem = new CosineProblem { Scale = CosineProblem.ScaleOf(Scale) };
        float* cosines = Cosines + ((nint)row * Stride);
        float own = OwnCosines[row], highest = own;
        cosines[row % Dialogues] = problem.Masked;
        for (int k = 0; k < Dialogues; k++)
        {
            highest = Math.Max(highest, cosines[k]);
        }

        double shift = Math.Ceiling((double)highest * problem.Scale);
        var (scale, bias) = (Vector512.Create(problem.Scale), ScaledPower.BiasOf(shift));
        var (sums, moments) = (Vector512<float>.Zero, Vector512<float>.Zero);
        for (int k = 0; k < Dialogues; k += Vector512<float>.Count)
        {
            var valid = DistillBlock.Valid(Dialogues - k);
            var cosine = valid & Vector512.Load(cosines + k);
            var power = valid & ScaledPower.Of(cosine, scale, bias);
            sums += power;
            moments = Vector512.FusedMultiplyAdd(power, cosine, moments);
            power.Store(cosines + k);
        }

        double others = Vector512.Sum(Vector512.WidenLower(sums) + Vector512.WidenUpper(sums));
        double moment = Vector512.Sum(Vector512.WidenLower(moments) + Vector512.WidenUpper(moments));
        double logit = (double)own * problem.Scale;
        double x = Math.Log(others) + (CosineProblem.LogOfTwo * (shift - logit)), tail = Math.Exp(-Math.Abs(x));
        double share = x >= 0 ? 1 / (1 + tail) : tail / (1 + tail), all = others + Math.Exp(CosineProblem.LogOfTwo * (logit - shift));
        SetResults(row, weight * (Math.Max(x, 0) + CosineProblem.LogOnePlus(tail)), weight * ((moment / all) - (share * own)), 0);
        OwnGradients[row] = (float)(-weight * Scale * share);
        var factor = Vector512.Create((float)(weight * Scale / all));
        for (int k = 0; k < Dialogues; k += Vector512<float>.Count)
        {
            (Vector512.Load(cosines + k) * factor).Store(cosines + k);
        }
    }

    private readonly void Contrast(int row, double weight)
    {
        float* cosines = Cosines + ((nint)row * Stride);
        int hardest = -1;
        for (int k = 0; k < Dialogues; k++)
        {
            // A NaN stays; of equals the first counts.
            bool takes = hardest < 0 || !(cosines[k] <= cosines[hardest] || float.IsNaN(cosines[hardest]));
            hardest = k != row % Dialogues && takes ? k : hardest;
        }

        double own = OwnCosines[row], missed = Sigmoid(-((Scale * own) + Offset)), other = 0, taken = 0;
        if (hardest >= 0)
        {
            other = cosines[hardest];
            taken = Sigmoid((Scale * other) + Offset);
        }

        double ownSlope = -missed * (1 - missed), otherSlope = taken * (1 - taken);
        SetResults(row, weight * (missed + taken), weight * ((ownSlope * own) + (otherSlope * other)), weight * (ownSlope + otherSlope));
        OwnGradients[row] = (float)(weight * Scale * ownSlope);
        new Span<float>(cosines, Dialogues).Clear();
        if (hardest >= 0)
        {
            cosines[hardest] = (float)(weight * Scale * otherSlope);
        }
    }

    private readonly void SetResults(int row, double loss, double byScale, double byOffset)
    {
        Results[row] = loss;
        Results[Count + row] = byScale;
        Results[(2 * Count) + row] = byOffset;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
