using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class MixRows
{
    private const int ElementsPerTask = 32768;

    private static void CpuForward(CpuDevice device, Tensor x, RowMix mix, Tensor y, int rows, int width)
    {
        for (int i = 0; i < rows; i++)
        {
            if ((uint)mix.Partners.IntData[i] >= (uint)rows)
            {
                throw new ShapeException($"The partner of row {i} is {mix.Partners.IntData[i]}: partners are rows, 0 to {rows - 1}.");
            }
        }

        var body = new ForwardBody
        {
            X = x.Data,
            Weights = mix.Weights.Data,
            Y = y.Data,
            Partners = mix.Partners.IntData,
            Rows = rows,
            Width = width,
            Each = Math.Max(1, ElementsPerTask / width),
        };
        device.Workers.For((rows + body.Each - 1) / body.Each, ref body);
    }

    private static void CpuBackward(CpuDevice device, Tensor dy, RowMix mix, Tensor dx, bool accumulate, int rows, int width)
    {
        var body = new BackwardBody
        {
            Dy = dy.Data,
            Weights = mix.Weights.Data,
            Dx = dx.Data,
            Partners = mix.Partners.IntData,
            Accumulate = accumulate,
            Rows = rows,
            Width = width,
            Each = Math.Max(1, ElementsPerTask / width),
        };
        device.Workers.For((rows + body.Each - 1) / body.Each, ref body);
    }

    private struct ForwardBody : IParallelBody
    {
        public float* X, Weights, Y;
        public int* Partners;
        public int Rows, Width, Each;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * Each, Rows);
            for (int row = index * Each; row < end; row++)
            {
                var own = new ReadOnlySpan<float>(X + ((nint)row * Width), Width);
                var other = new ReadOnlySpan<float>(X + ((nint)Partners[row] * Width), Width);
                var y = new Span<float>(Y + ((nint)row * Width), Width);
                TensorPrimitives.Multiply(other, 1 - Weights[row], y);
                TensorPrimitives.MultiplyAdd(own, Weights[row], y, y);
            }
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public float* Dy, Weights, Dx;
        public int* Partners;
        public bool Accumulate;
        public int Rows, Width, Each;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * Each, Rows);
            for (int row = index * Each; row < end; row++)
            {
                var dx = new Span<float>(Dx + ((nint)row * Width), Width);
                if (Accumulate)
                {
                    TensorPrimitives.MultiplyAdd(Row(row), Weights[row], dx, dx);
                }
                else
                {
                    TensorPrimitives.Multiply(Row(row), Weights[row], dx);
                }

                for (int from = 0; from < Rows; from++)
                {
                    if (Partners[from] == row)
                    {
                        TensorPrimitives.MultiplyAdd(Row(from), 1 - Weights[from], dx, dx);
                    }
                }
            }
        }

        private readonly ReadOnlySpan<float> Row(int row) => new(Dy + ((nint)row * Width), Width);
    }
}
