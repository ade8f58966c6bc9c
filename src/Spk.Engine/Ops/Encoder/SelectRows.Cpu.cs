using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class SelectRows
{
    private const int ElementsPerTask = 32768;

    private static void CpuForward(CpuDevice device, Tensor bank, Tensor index, Tensor? otherwise, Tensor y, int rows, int width)
    {
        var body = new ForwardBody
        {
            Bank = bank.Data,
            Otherwise = otherwise is null ? null : otherwise.Data,
            Y = y.Data,
            Index = index.IntData,
            Rows = rows,
            Width = width,
            Each = Math.Max(1, ElementsPerTask / width),
        };
        device.Workers.For((rows + body.Each - 1) / body.Each, ref body);
    }

    private static void CpuBackward(CpuDevice device, Tensor index, Tensor dy, Tensor gradient, bool accumulate, int rows, int width)
    {
        var body = new BackwardBody
        {
            Index = index.IntData,
            Dy = dy.Data,
            Gradient = gradient.Data,
            Accumulate = accumulate,
            Rows = rows,
            Width = width,
            Each = Math.Max(1, ElementsPerTask / width),
        };
        device.Workers.For((rows + body.Each - 1) / body.Each, ref body);
    }

    private struct ForwardBody : IParallelBody
    {
        public float* Bank, Otherwise, Y;
        public int* Index;
        public int Rows, Width, Each;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * Each, Rows);
            for (int row = index * Each; row < end; row++)
            {
                float* from = Index[row] >= 0 ? Bank + ((nint)Index[row] * Width) : Otherwise + ((nint)row * Width);
                new ReadOnlySpan<float>(from, Width).CopyTo(new Span<float>(Y + ((nint)row * Width), Width));
            }
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public int* Index;
        public float* Dy, Gradient;
        public bool Accumulate;
        public int Rows, Width, Each;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * Each, Rows);
            for (int row = index * Each; row < end; row++)
            {
                var target = new Span<float>(Gradient + ((nint)row * Width), Width);
                var source = new ReadOnlySpan<float>(Dy + ((nint)row * Width), Width);
                if (Index[row] < 0)
                {
                    if (Accumulate)
                    {
                        TensorPrimitives.Add(target, source, target);
                    }
                    else
                    {
                        source.CopyTo(target);
                    }
                }
                else if (!Accumulate)
                {
                    target.Clear();
                }
            }
        }
    }
}
