using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class L2Normalize
{
    private const int RowsPerTask = 16;

    private static void CpuForward(CpuDevice device, Tensor x, Tensor y, Tensor lengths, float eps)
    {
        var body = new ForwardBody
        {
            X = x.Data,
            Y = y.Data,
            StrideX = x.RowStride,
            StrideY = y.RowStride,
            Lengths = lengths.Data,
            Rows = x.Shape[0],
            Width = x.Shape[1],
            Eps = eps,
        };
        device.Workers.For((body.Rows + RowsPerTask - 1) / RowsPerTask, ref body);
    }

    private static void CpuBackward(CpuDevice device, Tensor y, Tensor lengths, Tensor dy, Tensor dx, float eps, bool accumulate)
    {
        var body = new BackwardBody
        {
            Y = y.Data,
            Dy = dy.Data,
            Dx = dx.Data,
            StrideY = y.RowStride,
            StrideDy = dy.RowStride,
            StrideDx = dx.RowStride,
            Lengths = lengths.Data,
            Rows = y.Shape[0],
            Width = y.Shape[1],
            Eps = eps,
            Accumulate = accumulate,
        };
        device.Workers.For((body.Rows + RowsPerTask - 1) / RowsPerTask, ref body);
    }

    private struct ForwardBody : IParallelBody
    {
        public float* X, Y, Lengths;
        public nint StrideX, StrideY;
        public int Rows, Width;
        public float Eps;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * RowsPerTask, Rows);
            for (int row = index * RowsPerTask; row < end; row++)
            {
                var x = new ReadOnlySpan<float>(X + (row * StrideX), Width);
                float length = MathF.Sqrt(TensorPrimitives.SumOfSquares(x));
                Lengths[row] = length;
                // A comparison keeps a NaN where a maximum might swallow it.
                TensorPrimitives.Divide(x, length < Eps ? Eps : length, new Span<float>(Y + (row * StrideY), Width));
            }
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public float* Y, Dy, Dx, Lengths;
        public nint StrideY, StrideDy, StrideDx;
        public int Rows, Width;
        public float Eps;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * RowsPerTask, Rows);
            for (int row = index * RowsPerTask; row < end; row++)
            {
                float* y = Y + (row * StrideY);
                float* dy = Dy + (row * StrideDy);
                float* dx = Dx + (row * StrideDx);
                bool floored = Lengths[row] < Eps;
                float along = floored ? 0f : TensorPrimitives.Dot(new ReadOnlySpan<float>(y, Width), new ReadOnlySpan<float>(dy, Width));
                float scale = 1f / (floored ? Eps : Lengths[row]);
                for (int i = 0; i < Width; i++)
                {
                    float gradient = (dy[i] - (along * y[i])) * scale;
                    dx[i] = Accumulate ? dx[i] + gradient : gradient;
                }
            }
        }
    }
}
