using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Conv1d
{
    private static void CpuForward(CpuDevice cpu, in Geometry g, Tensor x, Tensor weight, in ProductEpilogue epilogue, Tensor y)
    {
        var windows = Windows(g, x);
        if (MinimalFilter.Pays(windows, g.OutputChannels))
        {
            MinimalFilter.Correlate(cpu, windows, Tap(g, weight, 0).Transposed, g.InputChannels, y.Data, y.RowStride, accumulate: false, epilogue);
        }
        else
        {
            Gemm.Multiply(cpu, windows, Kernels(g, weight).Transposed, y.Data, y.RowStride, accumulate: false, epilogue);
        }
    }

    private static void CpuBackward(CpuDevice cpu, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (weight.RequiresGrad)
        {
            var dw = weight.GradForWrite(out bool adds);
            var windows = Windows(g, x);
            if (MinimalFilter.Pays(windows, g.OutputChannels))
            {
                MinimalFilterGradient.ByTaps(cpu, windows, dy.Data, dy.RowStride, g.OutputChannels, dw.Data, adds);
            }
            else
            {
                var rows = MatrixView.Of(dy.Data, dy.Shape.Rows, g.OutputChannels, dy.RowStride);
                Gemm.Multiply(cpu, rows.Transposed, windows, dw.Data, g.Taps * g.InputChannels, adds);
            }
        }

        if (bias is { RequiresGrad: true })
        {
            var db = bias.GradForWrite(out bool adds);
            ColumnSum.Run(cpu, dy, db.Data, adds);
        }

        if (x.RequiresGrad)
        {
            BackwardData(cpu, g, weight, dy, x);
        }
    }

    private static void BackwardData(CpuDevice cpu, in Geometry g, Tensor weight, Tensor dy, Tensor x)
    {
        if (g.Padding != Padding.Reflect || g.Pad == 0)
        {
            var dx = x.GradForWrite(out bool adds);
            BackwardFrames(cpu, g, weight, GradientWindows(g, dy, padded: false), dx.Data, dx.RowStride, adds);
            return;
        }

        // The gradient of the mirrored signal, folded back onto the frames it was mirrored from.
        var whole = x.Device.Workspace.Rent(new Shape(g.Batch, g.InputFrames + (2 * g.Pad), g.InputChannels));
        BackwardFrames(cpu, g, weight, GradientWindows(g, dy, padded: true), whole.Data, g.InputChannels, accumulate: false);
        var target = x.GradForWrite(out bool accumulate);
        var body = new FoldBody
        {
            Whole = whole.Data,
            Target = target.Data,
            Stride = target.RowStride,
            Frames = g.InputFrames,
            Channels = g.InputChannels,
            Pad = g.Pad,
            Accumulate = accumulate,
        };
        cpu.Workers.For(g.Batch, ref body);
    }

    private static void BackwardFrames(CpuDevice cpu, in Geometry g, Tensor weight, in MatrixView windows, float* dx, int stride, bool accumulate)
    {
        if (MinimalFilter.Pays(windows, g.InputChannels))
        {
            // Forwards in time, the windows meet the last tap first.
            MinimalFilter.Correlate(cpu, windows.Reversed, Tap(g, weight, g.Taps - 1), -g.InputChannels, dx, stride, accumulate);
        }
        else
        {
            Gemm.Multiply(cpu, windows, Taps(g, weight), dx, stride, accumulate);
        }
    }

    private struct FoldBody : IParallelBody
    {
        public float* Whole;
        public float* Target;
        public int Stride, Frames, Channels, Pad;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float* whole = Whole + ((nint)index * (Frames + (2 * Pad)) * Channels);
            float* target = Target + ((nint)index * Frames * Stride);
            for (int t = 0; t < Frames; t++)
            {
                float* to = target + ((nint)t * Stride);
                AddRow(whole + ((nint)(t + Pad) * Channels), to, Accumulate);
                if (t >= 1 && t <= Pad)
                {
                    AddRow(whole + ((nint)(Pad - t) * Channels), to, true);
                }

                int mirrored = (2 * (Frames - 1)) - t + Pad;
                if (t <= Frames - 2 && mirrored < Frames + (2 * Pad))
                {
                    AddRow(whole + ((nint)mirrored * Channels), to, true);
                }
            }
        }

        private readonly void AddRow(float* from, float* to, bool adds)
        {
            int c = 0;
            for (; c <= Channels - 16; c += 16)
            {
                var value = Vector512.Load(from + c);
                (adds ? value + Vector512.Load(to + c) : value).Store(to + c);
            }

            for (; c < Channels; c++)
            {
                to[c] = adds ? to[c] + from[c] : from[c];
            }
        }
    }
}
