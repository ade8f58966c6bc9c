using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// All groups of a Res2 layer in one kernel, in inference on a GPU, in tf32 and bf16; engine/kernels/encoder/res2_chain.cu. What it computes is what Add, Conv1d
/// and BatchNorm compute group by group, and where it does not pay they do.
/// </summary>
/// <remarks>No op of its own: it has neither a gradient nor a CPU side.</remarks>
internal static unsafe class Res2Chain
{
    /// <summary>Most groups that are convolved, and most channels of a group.</summary>
    internal const int MostStages = 15, MostWidth = 128;

    /// <summary>Frames that a block computes.</summary>
    internal const int Rows = 128;

    private const string Source = "encoder/res2_chain";

    // As in the kernel: columns of two warps, k of a tile of weights and bytes between its rows, tiles in the ring.
    private const int WarpColumns = 32, TileK = 16, GapBytes = 16, RingOfTf32 = 2, RingOfBf16 = 4, PrepareThreads = 256;

    // What every device gives a block.
    private const int SharedBytesOfDevice = 99 * 1024;

    // Two blocks for each of 132 multiprocessors: with fewer, multiplying rows twice takes time that nobody else wanted.
    private const int WaveOfBlocks = 264;

    // By precision, then the narrower and the wider.
    private static readonly KernelId[] RunKernels = [Run("tf32_64"), Run("tf32_128"), Run("bf16_64"), Run("bf16_128")];

    private static readonly KernelId[] PrepareKernels = [new(Source, "res2_chain_prepare_tf32"), new(Source, "res2_chain_prepare_bf16")];

    /// <summary>Whether a layer is computed here: the device, its precision and the shapes allow it, and what tiles compute twice costs less than it saves.</summary>
    /// <param name="x">[N, T, C].</param>
    /// <param name="width">Channels of a group.</param>
    /// <param name="stages">Groups that are convolved.</param>
    /// <param name="taps">Of their convolutions.</param>
    /// <param name="dilation">Frames from tap to tap.</param>
    /// <param name="padding">What lies beyond the ends.</param>
    public static bool Suits(Tensor x, int width, int stages, int taps, int dilation, Padding padding)
    {
        if (x.Device is not CudaDevice { Precision: not Precision.Fp32 } cuda
            || x.Shape.Rank != 3
            || x.Shape.Rows == 0
            || x.Shape[2] != width * (stages + 1)
            || taps % 2 == 0)
        {
            return false;
        }

        int pad = dilation * (taps - 1) / 2, tiles = Tiles(x.Shape[1], stages, pad);
        bool keepsLength = pad == 0 || padding == Padding.Zero || (padding == Padding.Reflect && pad < x.Shape[1]);
        return keepsLength
            && stages <= MostStages
            && width <= MostWidth
            && tiles > 0
            && SharedBytes(cuda.Precision, width, pad) <= SharedBytesOfDevice
            && Pays(cuda.Precision, width, (long)x.Shape[0] * tiles, x.Shape[0] * (long)x.Shape[1]);
    }

    /// <summary>Runs the chain; <see cref="Suits"/> must have said yes.</summary>
    /// <param name="x">f32 [N, T, C]; rows may be strided. Only read.</param>
    /// <param name="stages">The groups that are convolved, in their order.</param>
    /// <param name="firstUntouched">Whether the first group is passed on as it is, or else the last.</param>
    /// <param name="dilation">Frames from tap to tap.</param>
    /// <param name="padding">What lies beyond the ends.</param>
    /// <param name="y">Where to write, [N, T, C]; must not overlap x.</param>
    /// <param name="eps">Added to the variances.</param>
    public static void Forward(
        Tensor x, ReadOnlySpan<Stage> stages, bool firstUntouched, int dilation, Padding padding, Tensor y, float eps = 1e-5f)
    {
        var cuda = (CudaDevice)x.Device;
        var before = cuda.Workspace.Position;
        int width = stages[0].Weight.Shape[0], taps = stages[0].Weight.Shape[1], columns = CudaGemm.DivideUp(width, WarpColumns) * WarpColumns;
        int bf16 = cuda.Precision == Precision.Bf16 ? 1 : 0, pad = dilation * (taps - 1) / 2;
        int each = taps * CudaGemm.DivideUp(width, TileK) * TileK * columns;
        var weights = cuda.Workspace.Rent(new Shape(stages.Length * each), bf16 == 1 ? ElementType.Int16 : ElementType.Float32);
        var norms = cuda.Workspace.Rent(new Shape(stages.Length, 4, columns));
        StageViews views = default;
        for (int i = 0; i < stages.Length; i++)
        {
            views[i] = new StageView(stages[i]);
        }

        cuda.Launch(
            PrepareKernels[bf16], new LaunchShape(CudaGemm.DivideUp(each / 2, PrepareThreads), PrepareThreads, stages.Length), KernelArgument.Structure(&views),
            width, taps, eps, weights.Address, norms.Address);
        var chain = new Chain
        {
            StrideOfX = x.RowStride,
            StrideOfY = y.RowStride,
            Frames = x.Shape[1],
            Width = width,
            Taps = taps,
            Dilation = dilation,
            Stages = stages.Length,
            First = firstUntouched ? 1 : 0,
            Reflects = padding == Padding.Reflect ? 1 : 0,
            Tiles = Tiles(x.Shape[1], stages.Length, pad),
        };
        cuda.Launch(
            RunKernels[(2 * bf16) + (width > MostWidth / 2 ? 1 : 0)],
            new LaunchShape(x.Shape[0] * chain.Tiles, 2 * columns, SharedBytes: SharedBytes(cuda.Precision, width, pad)),
            KernelArgument.Structure(&chain), x.Address, y.Address, weights.Address, norms.Address);
        cuda.Workspace.Advance(before);
    }

    /// <summary>Tiles of an utterance. Each computes 128 frames; where it borders on another, those that the stages behind the first reach are not stored.</summary>
    /// <param name="frames">Of the utterance.</param>
    /// <param name="stages">Groups that are convolved.</param>
    /// <param name="pad">Frames that a convolution reaches on either side.</param>
    /// <returns>How many; 0 where so many reach that none is left.</returns>
    internal static int Tiles(int frames, int stages, int pad)
    {
        long reach = (long)pad * (stages - 1), between = Rows - (2 * reach);
        if (frames <= Rows)
        {
            return 1;
        }

        return between <= 0 ? 0 : 2 + (int)Math.Max(0, (frames - (2 * (Rows - reach)) + between - 1) / between);
    }

    /// <summary>Whether one kernel beats a kernel for each convolution and sum.</summary>
    /// <param name="precision">Of products.</param>
    /// <param name="width">Channels of a group.</param>
    /// <param name="blocks">Tiles in all.</param>
    /// <param name="frames">Of all utterances.</param>
    /// <remarks>
    /// Saved are 9 of 17 bytes a frame and channel and some twenty launches, paid for by frames that several blocks compute or nobody needs. Computed for an
    /// H200 (docs/decisions/0018-fusions.md): only products of the widest groups in tf32 take longer, for half as many frames more, than what is saved.
    /// </remarks>
    internal static bool Pays(Precision precision, int width, long blocks, long frames) =>
        blocks <= WaveOfBlocks || 2 * blocks * Rows <= (precision == Precision.Tf32 && width > MostWidth / 2 ? 3 : 4) * frames;

    private static int SharedBytes(Precision precision, int width, int pad)
    {
        int columns = CudaGemm.DivideUp(width, WarpColumns) * WarpColumns, widest = width > MostWidth / 2 ? MostWidth : MostWidth / 2;
        var (size, ring) = precision == Precision.Bf16 ? (sizeof(ushort), RingOfBf16) : (sizeof(float), RingOfTf32);
        return (ring * columns * ((TileK * size) + GapBytes)) + ((Rows + (2 * pad)) * ((widest * size) + GapBytes));
    }

    private static KernelId Run(string kind) => new(Source, "res2_chain_run_" + kind, SharedBytesOfDevice);

    /// <summary>One group's convolution and norm.</summary>
    /// <param name="Weight">[w, k, w].</param>
    /// <param name="Bias">[w].</param>
    /// <param name="Mean">Running mean [w].</param>
    /// <param name="Variance">Running variance [w].</param>
    /// <param name="Gamma">Scale [w].</param>
    /// <param name="Beta">Offset [w].</param>
    internal sealed record Stage(Parameter Weight, Parameter Bias, Parameter Mean, Parameter Variance, Parameter Gamma, Parameter Beta);

    // Field by field those of the kernel.
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct StageView(Stage stage)
    {
        public readonly nint Weight = stage.Weight.Value.Address, Bias = stage.Bias.Value.Address, Mean = stage.Mean.Value.Address;
        public readonly nint Variance = stage.Variance.Value.Address, Gamma = stage.Gamma.Value.Address, Beta = stage.Beta.Value.Address;
    }

    [InlineArray(MostStages)]
    private struct StageViews
    {
        private StageView _first;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Chain
    {
        public int StrideOfX, StrideOfY, Frames, Width, Taps, Dilation, Stages, First, Reflects, Tiles;
    }
}
