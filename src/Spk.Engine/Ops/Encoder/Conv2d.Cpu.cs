using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Conv2d
{
    // Depth of a strip of packed weights that one pass uses: 48 KiB at 32 columns, as in the matrix product.
    private const int PassDepth = Gemm.MaximumDepth;

    private static void CpuForward(CpuDevice cpu, in Geometry g, Tensor x, Tensor weight, in ProductEpilogue epilogue, Tensor y) =>
        Correlate(cpu, g, Correlation.Forward(g, x, y), weight, accumulate: false, epilogue);

    private static void CpuBackward(CpuDevice cpu, in Geometry g, Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (weight.RequiresGrad)
        {
            WeightGradient(cpu, g, x, dy, weight.GradForWrite(out bool adds), adds);
        }

        if (bias is { RequiresGrad: true })
        {
            ColumnSum.Run(cpu, dy, bias.GradForWrite(out bool adds).Data, adds);
        }

        if (!x.RequiresGrad)
        {
            return;
        }

        var dx = x.GradForWrite(out bool accumulate);
        for (int row = 0; row < Math.Min(g.StrideHeight, g.Height); row++)
        {
            for (int column = 0; column < Math.Min(g.StrideWidth, g.Width); column++)
            {
                Correlate(cpu, g, Correlation.Gradient(g, dy, dx, row, column), weight, accumulate);
            }
        }
    }

    private static void Correlate(
        CpuDevice cpu, in Geometry g, in Correlation map, Tensor weight, bool accumulate, in ProductEpilogue epilogue = default)
    {
        int outputs = StridedProduct.Padded(map.Outputs);
        float* packed = cpu.SharedScratch((long)outputs * map.TapsHeight * map.Run);
        var pack = new PackBody { Map = map, Weight = weight.Data, Packed = packed, KernelWidth = g.TapsWidth, Kernel = g.TapsHeight * g.TapsWidth };
        cpu.Workers.For(map.TapsHeight, ref pack);
        var body = new CorrelateBody
        {
            Map = map,
            Patches = Patches.Of(map),
            Packed = packed,
            Epilogue = epilogue,
            Accumulate = accumulate,
            Workers = cpu.WorkersHandle,
        };
        cpu.Workers.For(body.Patches.Count, ref body);
    }

    /// <summary>The weights under one row of taps as strips [strip][tap row][tap column, channel][output].</summary>
    private struct PackBody : IParallelBody
    {
        public Correlation Map;
        public float* Weight;
        public float* Packed;
        public int KernelWidth, Kernel;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int firstTap = ((Map.FirstHeight + (index * Map.TapStepHeight)) * KernelWidth) + Map.FirstWidth;
            bool reversed = Map.TapStepWidth < 0;
            for (int output = 0, width; output < Map.Outputs; output += width)
            {
                width = StridedProduct.Width(Map.Outputs - output);
                int columns = Math.Min(width, Map.Outputs - output);
                float* to = Packed + ((nint)output * Map.TapsHeight * Map.Run) + ((nint)index * Map.Run * width);
                if (reversed)
                {
                    // Row (tap, channel of dy): the input channels of the weight, taps outermost.
                    var taps = new MatrixView
                    {
                        Data = Weight + ((nint)firstTap * Map.Outputs),
                        Rows = Map.Run,
                        Inner = Map.Channels,
                        OuterStride = (nint)Map.TapStepWidth * Map.Outputs,
                        RowStride = (nint)Kernel * Map.Outputs,
                        Segments = 1,
                        SegmentWidth = Map.Outputs,
                        Positions = Map.Channels,
                    };
                    GemmPack.Strips(taps, 0, Map.Run, output, columns, width, Map.Run, to);
                }
                else
                {
                    int row = Kernel * Map.Channels;
                    GemmPack.TransposedStrips(
                        MatrixView.Of(Weight, Map.Outputs, row, row), output, columns, firstTap * Map.Channels, Map.Run, width, Map.Run, to);
                }
            }
        }
    }

    private struct CorrelateBody : IParallelBody
    {
        public Correlation Map;
        public Patches Patches;
        public float* Packed;
        public ProductEpilogue Epilogue;
        public bool Accumulate;
        public nint Workers;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            var patch = Patches.At(index);
            float* edge = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)(StridedProduct.TileElements + Patches.Elements) * sizeof(float));
            float* source = edge + StridedProduct.TileElements;
            Patches.Copy(Map, patch, source);
            int run = Map.Run, rowsOfPass = Math.Max(1, PassDepth / Math.Max(1, run));
            float* target = Map.Target + (patch.Item * Map.TargetItem) + (patch.Row * Map.TargetRow) + (patch.Column * Map.TargetColumn);
            for (int output = 0, width; output < Map.Outputs; output += width)
            {
                width = StridedProduct.Width(Map.Outputs - output);
                float* strip = Packed + ((nint)output * Map.TapsHeight * run);

                // Once even without taps: the target is to be written.
                int tap = 0;
                do
                {
                    var tile = new StridedTile
                    {
                        B = strip + ((nint)tap * run * width),
                        RowStep = (nint)Map.StrideWidth * Map.Channels,
                        DepthStep = 1,
                        StepB = width,
                        SegmentA = Patches.Pitch,
                        SegmentB = (nint)run * width,
                        Segments = Math.Min(rowsOfPass, Map.TapsHeight - tap),
                        Depth = run,
                    };
                    for (int row = 0; row < patch.Rows; row++)
                    {
                        tile.A = source + (((row * Map.StrideHeight) + tap) * Patches.Pitch);
                        Row(tile, target + (row * Map.TargetRow) + output, patch.Columns, width, Math.Min(width, Map.Outputs - output), Accumulate || tap > 0, edge);
                    }

                    tap += rowsOfPass;
                }
                while (tap < Map.TapsHeight);
            }

            for (int row = 0; row < patch.Rows && !Epilogue.IsEmpty; row++)
            {
                Epilogue.Apply(target + (row * Map.TargetRow), Map.TargetColumn, patch.Columns, Map.Outputs, 0);
            }
        }

        private readonly void Row(StridedTile tile, float* to, int columns, int width, int inside, bool adds, float* edge)
        {
            int height = StridedProduct.Height;
            for (int column = 0; column < columns; column += height)
            {
                int rows = Math.Min(height, columns - column);
                if (rows == height && inside == width)
                {
                    StridedProduct.Run(width, tile, to, Map.TargetColumn, adds);
                }
                else
                {
                    StridedProduct.Run(width, tile, edge, width, accumulate: false);
                    for (int i = 0; i < rows; i++)
                    {
                        for (int j = 0; j < inside; j++)
                        {
                            float* element = to + (i * Map.TargetColumn) + j;
                            *element = adds ? *element + edge[(i * width) + j] : edge[(i * width) + j];
                        }
                    }
                }

                tile.A += height * tile.RowStep;
                to += height * Map.TargetColumn;
            }
        }
    }
}
