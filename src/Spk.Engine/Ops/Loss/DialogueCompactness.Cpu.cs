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

    private static void CpuWeigh(Tensor compactness, Tensor? state, in DialogueWeightOptions options, Tensor weights)
    {
        int count = compactness.Count;
        double slope = options.Slope, threshold = options.Threshold;
        if (state is not null)
        {
            var (mean, deviation) = Moments(compactness.Data, count);
            bool isFirst = state.Data[0] == 0 && state.Data[1] == 0;
            double kept = isFirst ? 0 : options.Momentum;
            state.Data[0] = (float)((kept * state.Data[0]) + ((1 - kept) * mean));
            state.Data[1] = (float)((kept * state.Data[1]) + ((1 - kept) * deviation));
            (threshold, slope) = (state.Data[0], slope / (state.Data[1] + (double)DeviationFloor));
        }

        double sum = 0;
        for (int j = 0; j < count; j++)
        {
            weights.Data[j] = (float)(1 / (1 + Math.Exp(-slope * (compactness.Data[j] - threshold))));
            sum += weights.Data[j];
        }

        for (int j = 0; j < count && options.Normalize; j++)
        {
            weights.Data[j] = (float)(weights.Data[j] * count / sum);
        }
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
