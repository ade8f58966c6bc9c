using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class DialogueCompactness
{
    private static void CpuForward(CpuDevice cpu, Tensor rows, int utterances, Tensor compactness)
    {
        var unit = cpu.Workspace.Rent(rows.Shape);
        UnitRows.Forward(cpu, rows, unit.Data, cpu.Workspace.Rent(new Shape(rows.Shape[0])).Data);
        var body = new CompactnessBody
        {
            Unit = unit.Data,
            Compactness = compactness.Data,
            Utterances = utterances,
            Dialogues = compactness.Count,
            Width = rows.Shape[1],
        };
        cpu.Workers.For(compactness.Count, ref body);
    }

    private static void CpuWeigh(Tensor compactness, Tensor? state, in DialogueWeightOptions options, double slope, Tensor weights)
    {
        int count = compactness.Count;
        double threshold = options.Threshold;
        if (state is not null)
        {
            var (mean, deviation) = Moments(compactness.Data, count);
            bool isFirst = state.Data[0] == 0 && state.Data[1] == 0;
            double kept = isFirst ? 0 : options.Momentum;
            state.Data[0] = (float)((kept * state.Data[0]) + ((1 - kept) * mean));
            state.Data[1] = (float)((kept * state.Data[1]) + ((1 - kept) * deviation));
            (threshold, slope) = (state.Data[0], slope / (state.Data[1] + (double)DeviationFloor));
        }

        var kappa = new ReadOnlySpan<float>(compactness.Data, count);
        int survivors = options.KeptOf(count);
        double sum = 0;
        for (int j = 0; j < count; j++)
        {
            weights.Data[j] = (float)(options.Rule switch
            {
                DialogueWeightRule.Rectified => Math.Max(0, kappa[j]),
                DialogueWeightRule.Softmax => 1 / Ratios(kappa, j, slope),
                DialogueWeightRule.Top => Rank(kappa, j) < survivors ? 1 : 0,
                _ => 1 / (1 + Math.Exp(-slope * (kappa[j] - threshold))),
            });
            sum += weights.Data[j];
        }

        for (int j = 0; j < count && options.Normalize; j++)
        {
            weights.Data[j] = sum > 0 ? (float)(weights.Data[j] * count / sum) : 1;
        }
    }

    // Softmax is one over the sum of the ratios to a dialogue; a sum that overflows is a weight of 0.
    private static double Ratios(ReadOnlySpan<float> kappa, int dialogue, double slope)
    {
        double sum = 0;
        foreach (float other in kappa)
        {
            sum += Math.Exp(slope * ((double)other - kappa[dialogue]));
        }

        return sum;
    }

    // How many are more compact, or as compact and ahead of it.
    private static int Rank(ReadOnlySpan<float> kappa, int dialogue)
    {
        int rank = 0;
        for (int j = 0; j < kappa.Length; j++)
        {
            rank += kappa[j] > kappa[dialogue] || (kappa[j] == kappa[dialogue] && j < dialogue) ? 1 : 0;
        }

        return rank;
    }

    private static (double Mean, double Deviation) Moments(float* values, int count)
    {
        double sum = 0, squares = 0;
        for (int j = 0; j < count; j++)
        {
            sum += values[j];
        }

        for (int j = 0; j < count; j++)
        {
            squares += (values[j] - (sum / count)) * (values[j] - (sum / count));
        }

        return (sum / count, Math.Sqrt(squares / count));
    }

    private struct CompactnessBody : IParallelBody
    {
        public float* Unit, Compactness;
        public int Utterances, Dialogues, Width;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            double sum = 0;
            for (int a = 1; a < Utterances; a++)
            {
                for (int b = 0; b < a; b++)
                {
                    sum += UnitRows.Dot(Row((a * Dialogues) + index), Row((b * Dialogues) + index), Width);
                }
            }

            Compactness[index] = (float)(2 * sum / ((double)Utterances * (Utterances - 1)));
        }

        private readonly float* Row(int row) => Unit + ((nint)row * Width);
    }
}
