using System.Runtime.InteropServices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Features;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Features;

public static unsafe partial class Fbank
{
    private const int CudaWarp = 32, CudaFramesPerBlock = 8, CudaSharedBytes = 96 * 1024;

    private static readonly KernelId ForwardKernel = new("features/fbank", "fbank_forward", CudaSharedBytes);

    private static void CudaForward(CudaDevice cuda, FeatureTables tables, Tensor waves, Tensor features, ulong? ditherSeed, long ditherEpoch)
    {
        var spec = tables.Spec;
        int bytesPerFrame = 2 * spec.FftLength * sizeof(float);
        int framesPerBlock = Math.Min(CudaFramesPerBlock, CudaSharedBytes / bytesPerFrame);
        if (framesPerBlock < 1)
        {
            throw new InvalidOptionException(
                $"Frames of {spec.FrameLength} samples are too long for a GPU: there frameLengthMs · sampleRate may give {CudaSharedBytes / (2 * sizeof(float))} samples.");
        }

        var own = cuda.TablesFor(tables, static (device, tables) => new CudaTables(device, tables));
        var problem = new CudaProblem
        {
            Waves = waves.Address,
            Window = own.Window.Address,
            Twiddles = own.Twiddles.Address,
            MelRanges = own.MelRanges.Address,
            MelWeights = own.MelWeights.Address,
            Features = features.Address,
            DitherSeed = ditherSeed ?? 0,
            WaveStride = waves.RowStride,
            Samples = waves.Shape[1],
            Frames = features.Shape[1],
            TotalFrames = features.Shape.Rows,
            Bands = spec.Bins,
            FrameLength = spec.FrameLength,
            FrameShift = spec.FrameShift,
            FirstStart = FirstStart(spec),
            FftLength = spec.FftLength,
            DitherEpoch = (uint)ditherEpoch,
            DitherStream = (uint)RandomPurpose.Dither,
            Dither = ditherSeed is null ? 0f : spec.Dither / spec.Scale,
            Preemphasis = spec.Preemphasis,
            LogFloor = spec.LogFloor,
            RepeatsEdge = spec.Flavor == FeatureFlavor.Torchaudio ? 0 : 1,
            RemoveMean = spec.RemoveMean ? 1 : 0,
            UsePower = spec.UsePower ? 1 : 0,
            UseLog = spec.UseLog ? 1 : 0,
            AddsFloor = spec.Flavor == FeatureFlavor.Torchaudio ? 1 : 0,
        };
        int blocks = (problem.TotalFrames + framesPerBlock - 1) / framesPerBlock;
        cuda.Launch(
            ForwardKernel, new LaunchShape(blocks, CudaWarp * framesPerBlock, SharedBytes: framesPerBlock * bytesPerFrame),
            KernelArgument.Structure(&problem));
    }

    /// <summary>A spec's tables in device memory.</summary>
    private sealed class CudaTables
    {
        public CudaTables(CudaDevice device, FeatureTables tables)
        {
            var spec = tables.Spec;
            Window = device.Persist<float>(tables.Window.AsSpan(0, spec.FrameLength));
            var twiddles = new float[2 * spec.FftLength];
            for (int k = 0; k < spec.FftLength; k++)
            {
                var (sin, cos) = Math.SinCos(-2 * Math.PI * k / spec.FftLength);
                (twiddles[2 * k], twiddles[(2 * k) + 1]) = ((float)cos, (float)sin);
            }

            Twiddles = device.Persist<float>(twiddles);
            var ranges = new int[3 * spec.Bins];
            int weights = 0;
            for (int band = 0; band < spec.Bins; band++)
            {
                (ranges[3 * band], ranges[(3 * band) + 1], ranges[(3 * band) + 2]) = (tables.MelRanges[2 * band], tables.MelRanges[(2 * band) + 1], weights);
                weights += tables.MelRanges[(2 * band) + 1];
            }

            MelRanges = device.Persist<int>(ranges);
            MelWeights = device.Persist<float>(tables.MelWeights.AsSpan(0, Math.Max(1, weights)));
        }

        public Tensor Window { get; }

        public Tensor Twiddles { get; }

        public Tensor MelRanges { get; }

        public Tensor MelWeights { get; }
    }

    // Field by field the FbankProblem of engine/kernels/features/fbank.cu.
    [StructLayout(LayoutKind.Sequential)]
    private struct CudaProblem
    {
        public nint Waves, Window, Twiddles, MelRanges, MelWeights, Features;
        public ulong DitherSeed;
        public int WaveStride, Samples, Frames, TotalFrames, Bands;
        public int FrameLength, FrameShift, FirstStart, FftLength;
        public uint DitherEpoch, DitherStream;
        public float Dither, Preemphasis, LogFloor;
        public int RepeatsEdge, RemoveMean, UsePower, UseLog, AddsFloor;
    }
}
