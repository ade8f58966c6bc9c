using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Add
{
    private const int ElementsPerTask = 32768;

    private static void CpuForward(CpuDevice device, Tensor a, Tensor b, Tensor y)
    {
        int each = Math.Max(1, ElementsPerTask / Math.Max(1, a.Shape.Last));
        var body = new SumBody
        {
            A = a.Data,
            B = b.Data,
            Y = y.Data,
            StrideA = a.RowStride,
            StrideB = b.RowStride,
            StrideY = y.RowStride,
            Rows = a.Shape.Rows,
            Width = a.Shape.Last,
            Each = each,
        };
        device.Workers.For((body.Rows + each - 1) / each, ref body);
    }

    private static void CpuCopy(CpuDevice device, Tensor from, Tensor to)
    {
        int each = Math.Max(1, ElementsPerTask / Math.Max(1, from.Shape.Last));
        var body = new CopyBody
        {
            From = from.Data,
            To = to.Data,
            StrideFrom = from.RowStride,
            StrideTo = to.RowStride,
            Rows = from.Shape.Rows,
            Width = from.Shape.Last,
            Each = each,
        };
        device.Workers.For((body.Rows + each - 1) / each, ref body);
    }

    private struct SumBody : IParallelBody
    {
        public float* A, B, Y;
        public nint StrideA, StrideB, StrideY;
        public int Rows, Width, Each;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * Each, Rows);
            for (int row = index * Each; row < end; row++)
            {
                TensorPrimitives.Add(
                    new ReadOnlySpan<float>(A + (row * StrideA), Width),
                    new ReadOnlySpan<float>(B + (row * StrideB), Width),
                    new Span<float>(Y + (row * StrideY), Width));
            }
        }
    }

    private struct CopyBody : IParallelBody
    {
        public float* From, To;
        public nint StrideFrom, StrideTo;
        public int Rows, Width, Each;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * Each, Rows);
            for (int row = index * Each; row < end; row++)
            {
                new ReadOnlySpan<float>(From + (row * StrideFrom), Width).CopyTo(new Span<float>(To + (row * StrideTo), Width));
            }
        }
    }
}
