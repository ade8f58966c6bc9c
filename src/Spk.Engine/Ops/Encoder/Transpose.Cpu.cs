using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Transpose
{
    // A square of 16 × 16 elements: sixteen cache lines read and sixteen written.
    private const int Side = 16;

    internal static void CpuRun(CpuDevice cpu, Tensor from, Tensor to, bool accumulate)
    {
        var body = new Body
        {
            From = from.Data,
            To = to.Data,
            StrideFrom = from.RowStride,
            StrideTo = to.RowStride,
            Rows = from.Shape[1],
            Columns = from.Shape[2],
            Accumulate = accumulate,
        };
        cpu.Workers.For(from.Shape[0] * body.Bands, ref body);
    }

    private struct Body : IParallelBody
    {
        public float* From;
        public float* To;
        public nint StrideFrom, StrideTo;
        public int Rows, Columns;
        public bool Accumulate;

        public readonly int Bands => (Rows + Side - 1) / Side;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int item = index / Bands, first = index % Bands * Side, end = Math.Min(first + Side, Rows);
            float* from = From + ((nint)item * Rows * StrideFrom);
            float* to = To + ((nint)item * Columns * StrideTo);
            for (int left = 0; left < Columns; left += Side)
            {
                for (int column = left; column < Math.Min(left + Side, Columns); column++)
                {
                    float* target = to + (column * StrideTo);
                    for (int row = first; row < end; row++)
                    {
                        float value = from[(row * StrideFrom) + column];
                        target[row] = Accumulate ? target[row] + value : value;
                    }
                }
            }
        }
    }
}
