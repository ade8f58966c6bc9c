using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class SqueezeExcite
{
    private const int ChannelsPerTask = 256;

    private const int FramesPerTask = 32;

    private static void CpuForward(
        CpuDevice device,
        Tensor x,
        Tensor reduceWeight,
        Tensor reduceBias,
        Tensor expandWeight,
        Tensor expandBias,
        Tensor? residual,
        Tensor means,
        Tensor hidden,
        Tensor gates,
        Tensor y)
    {
        Excite(device, means, reduceWeight, reduceBias, expandWeight, expandBias, hidden, gates);
        Scale(device, x, gates, residual, y);
    }

    private static void CpuBackward(
        CpuDevice device, Node node, Tensor dy, Tensor gateGradient, Tensor? dx, bool addX, Tensor? residualGradient, bool addResidual)
    {
        TimeSums(device, node.X, dy, gateGradient, 1f);
        var meanGradient = ExciteBackward(device, node, gateGradient);
        ScaleBackward(device, dy, node.Gates, meanGradient, dx, addX, residualGradient, addResidual);
    }

    // scale · Σ over time of x, or of x·other.
    private static void TimeSums(CpuDevice device, Tensor x, Tensor? other, Tensor sums, float scale)
    {
        int channels = x.Shape.Last, blocks = (channels + ChannelsPerTask - 1) / ChannelsPerTask;
        var body = new TimeSumBody
        {
            X = x.Data,
            Other = other is null ? null : other.Data,
            Sums = sums.Data,
            StrideX = x.RowStride,
            StrideOther = other?.RowStride ?? 0,
            Frames = Frames(x),
            Channels = channels,
            Blocks = blocks,
            Scale = scale,
        };
        device.Workers.For(x.Shape[0] * blocks, ref body);
    }

    private static void Excite(
        CpuDevice device, Tensor means, Tensor reduceWeight, Tensor reduceBias, Tensor expandWeight, Tensor expandBias, Tensor hidden, Tensor gates)
    {
        int items = means.Shape[0], channels = means.Shape[1], width = hidden.Shape[1];
        var weights1 = MatrixView.Of(reduceWeight.Data, width, channels, reduceWeight.RowStride).Transposed;
        Gemm.Multiply(device, MatrixView.Of(means.Data, items, channels, channels), weights1, hidden.Data, width, accumulate: false);
        for (int n = 0; n < items; n++)
        {
            for (int i = 0; i < width; i++)
            {
                float value = hidden.Data[(n * width) + i] + reduceBias.Data[i];
                // Written so that a NaN passes on.
                hidden.Data[(n * width) + i] = value < 0f ? 0f : value;
            }
        }

        var weights2 = MatrixView.Of(expandWeight.Data, channels, width, expandWeight.RowStride).Transposed;
        Gemm.Multiply(device, MatrixView.Of(hidden.Data, items, width, width), weights2, gates.Data, channels, accumulate: false);
        for (int n = 0; n < items; n++)
        {
            Gate(gates.Row(n), expandBias.Data, channels);
        }
    }

    // Sigmoids of sums and bias.
    [MethodImpl(HotLoop.Options)]
    private static void Gate(float* gates, float* bias, int channels)
    {
        var one = Vector512<float>.One;
        int c = 0;
        for (; c + 16 <= channels; c += 16)
        {
            var value = Vector512.Load(gates + c) + Vector512.Load(bias + c);
            (one / (one + Vector512.Exp(-value))).Store(gates + c);
        }

        for (; c < channels; c++)
        {
            gates[c] = 1f / (1f + MathF.Exp(-(gates[c] + bias[c])));
        }
    }

    private static void Scale(CpuDevice device, Tensor x, Tensor gates, Tensor? residual, Tensor y)
    {
        int frames = Frames(x), pieces = (frames + FramesPerTask - 1) / FramesPerTask;
        var body = new ScaleBody
        {
            X = x.Data,
            Gates = gates.Data,
            Residual = residual is null ? null : residual.Data,
            Y = y.Data,
            StrideX = x.RowStride,
            StrideResidual = residual?.RowStride ?? 0,
            StrideY = y.RowStride,
            Frames = frames,
            Pieces = pieces,
            Channels = x.Shape.Last,
        };
        device.Workers.For(x.Shape[0] * pieces, ref body);
    }

    // From the gradient of the gates to that of the means; adds to the gradients of the four weights. The matrices are small.
    private static Tensor ExciteBackward(CpuDevice device, Node node, Tensor gateGradient)
    {
        int items = node.Means.Shape[0], channels = node.Means.Shape[1], width = node.Hidden.Shape[1];
        float* dg = gateGradient.Data;
        float* gates = node.Gates.Data;
        float* biasGradient = node.ExpandBias.GradForWrite(out _).Data;
        for (int n = 0; n < items; n++)
        {
            for (int c = 0; c < channels; c++, dg++, gates++)
            {
                *dg *= *gates * (1f - *gates);
                biasGradient[c] += *dg;
            }
        }

        var dGates = MatrixView.Of(gateGradient.Data, items, channels, channels);
        var weightGradient = node.ExpandWeight.GradForWrite(out _);
        Gemm.Multiply(
            device, dGates.Transposed, MatrixView.Of(node.Hidden.Data, items, width, width), weightGradient.Data, weightGradient.RowStride, accumulate: true);
        var hiddenGradient = device.Workspace.Rent(node.Hidden.Shape);
        Gemm.Multiply(
            device, dGates, MatrixView.Of(node.ExpandWeight.Data, channels, width, node.ExpandWeight.RowStride), hiddenGradient.Data, width, accumulate: false);
        float* dh = hiddenGradient.Data;
        float* hidden = node.Hidden.Data;
        biasGradient = node.ReduceBias.GradForWrite(out _).Data;
        for (int n = 0; n < items; n++)
        {
            for (int i = 0; i < width; i++, dh++, hidden++)
            {
                *dh = *hidden > 0f ? *dh : 0f;
                biasGradient[i] += *dh;
            }
        }

        var dHidden = MatrixView.Of(hiddenGradient.Data, items, width, width);
        weightGradient = node.ReduceWeight.GradForWrite(out _);
        Gemm.Multiply(
            device, dHidden.Transposed, MatrixView.Of(node.Means.Data, items, channels, channels), weightGradient.Data, weightGradient.RowStride, accumulate: true);
        var meanGradient = device.Workspace.Rent(node.Means.Shape);
        Gemm.Multiply(
            device, dHidden, MatrixView.Of(node.ReduceWeight.Data, width, channels, node.ReduceWeight.RowStride), meanGradient.Data, channels, accumulate: false);
        return meanGradient;
    }

    private static void ScaleBackward(
        CpuDevice device, Tensor dy, Tensor gates, Tensor meanGradient, Tensor? dx, bool addX, Tensor? residualGradient, bool addResidual)
    {
        int frames = Frames(dy), pieces = (frames + FramesPerTask - 1) / FramesPerTask;
        var body = new ScaleBackwardBody
        {
            Dy = dy.Data,
            Gates = gates.Data,
            MeanGradient = meanGradient.Data,
            Dx = dx is null ? null : dx.Data,
            Residual = residualGradient is null ? null : residualGradient.Data,
            StrideDy = dy.RowStride,
            StrideDx = dx?.RowStride ?? 0,
            StrideResidual = residualGradient?.RowStride ?? 0,
            Frames = frames,
            Pieces = pieces,
            Channels = dy.Shape.Last,
            AddX = addX,
            AddResidual = addResidual,
        };
        device.Workers.For(dy.Shape[0] * pieces, ref body);
    }

    private struct TimeSumBody : IParallelBody
    {
        public float* X, Other, Sums;
        public nint StrideX, StrideOther;
        public int Frames, Channels, Blocks;
        public float Scale;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int item = index / Blocks, from = index % Blocks * ChannelsPerTask, count = Math.Min(ChannelsPerTask, Channels - from);
            float* x = X + (item * (nint)Frames * StrideX) + from;
            float* other = Other == null ? null : Other + (item * (nint)Frames * StrideOther) + from;
            float* sums = Sums + ((nint)item * Channels) + from;
            int lanes = count & ~15;
            new Span<float>(sums, count).Clear();
            for (int t = 0; t < Frames; t++, x += StrideX)
            {
                for (int c = 0; c < lanes; c += 16)
                {
                    var sum = Vector512.Load(sums + c);
                    var value = Vector512.Load(x + c);
                    (other == null ? sum + value : Vector512.FusedMultiplyAdd(value, Vector512.Load(other + c), sum)).Store(sums + c);
                }

                for (int c = lanes; c < count; c++)
                {
                    sums[c] += other == null ? x[c] : x[c] * other[c];
                }

                other += other == null ? 0 : StrideOther;
            }

            for (int c = 0; c < count; c++)
            {
                sums[c] *= Scale;
            }
        }
    }

    private struct ScaleBody : IParallelBody
    {
        public float* X, Gates, Residual, Y;
        public nint StrideX, StrideResidual, StrideY;
        public int Frames, Pieces, Channels;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int item = index / Pieces, start = index % Pieces * FramesPerTask, end = Math.Min(start + FramesPerTask, Frames);
            float* gates = Gates + ((nint)item * Channels);
            int lanes = Channels & ~15;
            for (int t = start; t < end; t++)
            {
                nint row = ((nint)item * Frames) + t;
                float* x = X + (row * StrideX);
                float* y = Y + (row * StrideY);
                float* residual = Residual == null ? null : Residual + (row * StrideResidual);
                for (int c = 0; c < lanes; c += 16)
                {
                    var scaled = Vector512.Load(x + c) * Vector512.Load(gates + c);
                    (residual == null ? scaled : scaled + Vector512.Load(residual + c)).Store(y + c);
                }

                for (int c = lanes; c < Channels; c++)
                {
                    y[c] = (x[c] * gates[c]) + (residual == null ? 0f : residual[c]);
                }
            }
        }
    }

    /// <summary>dx = dy·gate + dmean / T, and dy on to the residual, in one pass.</summary>
    private struct ScaleBackwardBody : IParallelBody
    {
        public float* Dy, Gates, MeanGradient, Dx, Residual;
        public nint StrideDy, StrideDx, StrideResidual;
        public int Frames, Pieces, Channels;
        public bool AddX, AddResidual;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int item = index / Pieces, start = index % Pieces * FramesPerTask, end = Math.Min(start + FramesPerTask, Frames);
            float* gates = Gates + ((nint)item * Channels);
            float* mean = MeanGradient + ((nint)item * Channels);
            float perFrame = 1f / Frames;
            for (int t = start; t < end; t++)
            {
                nint row = ((nint)item * Frames) + t;
                float* dy = Dy + (row * StrideDy);
                if (Residual != null)
                {
                    // First: dx may lie where dy lies.
                    Pass(dy, Residual + (row * StrideResidual));
                }

                if (Dx != null)
                {
                    Combine(dy, gates, mean, perFrame, Dx + (row * StrideDx));
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void Pass(float* dy, float* residual)
        {
            int c = 0;
            for (; c + 16 <= Channels; c += 16)
            {
                var value = Vector512.Load(dy + c);
                (AddResidual ? value + Vector512.Load(residual + c) : value).Store(residual + c);
            }

            for (; c < Channels; c++)
            {
                residual[c] = AddResidual ? residual[c] + dy[c] : dy[c];
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void Combine(float* dy, float* gates, float* mean, float perFrame, float* dx)
        {
            var share = Vector512.Create(perFrame);
            int c = 0;
            for (; c + 16 <= Channels; c += 16)
            {
                var gradient = Vector512.FusedMultiplyAdd(Vector512.Load(mean + c), share, Vector512.Load(dy + c) * Vector512.Load(gates + c));
                (AddX ? gradient + Vector512.Load(dx + c) : gradient).Store(dx + c);
            }

            for (; c < Channels; c++)
            {
                float gradient = (dy[c] * gates[c]) + (mean[c] * perFrame);
                dx[c] = AddX ? dx[c] + gradient : gradient;
            }
        }
    }
}
