using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The gradient of <see cref="PairSoftmax"/> where the matrix G_aj + G_ja is too large to be kept: strips of its rows, up to the diagonal, are made from
/// the cosines again. A strip times the unit rows is what its own rows get, and transposed what the rows before it get.
/// </summary>
internal static unsafe class PairStrips
{
    private const int LargestStrip = 512;
    private const int RowsPerTask = 8;

    /// <summary>Writes the gradient by the unit rows.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="problem">The solved problem.</param>
    /// <param name="shift">What powers are shifted by.</param>
    /// <param name="factors">What turns an anchor's powers into derivatives, [anchors], padded to 16 with 0.</param>
    /// <param name="positiveGradients">Derivative of each anchor's loss by its positive cosine, [anchors].</param>
    /// <param name="gradient">[anchors, width].</param>
    /// <param name="memory">Elements that a strip may take.</param>
    public static void Run(CpuDevice cpu, in CosineProblem problem, double shift, float* factors, float* positiveGradients, float* gradient, long memory)
    {
        int rows = problem.Rows, width = problem.Width;
        int stride = CosineProblem.Padded(rows) + 16;
        int strip = (int)Math.Clamp(memory / stride / PairSoftmax.Tile * PairSoftmax.Tile, PairSoftmax.Tile, LargestStrip);
        var body = new StripBody
        {
            Problem = problem,
            Shift = shift,
            Factors = factors,
            PositiveGradients = positiveGradients,
            Stride = stride,
            Strip = cpu.Workspace.Rent(new Shape(Math.Min(strip, rows), stride)).Data,
        };
        for (int start = 0; start < rows; start += strip)
        {
            int count = Math.Min(strip, rows - start), end = start + count;
            float* own = problem.Queries + ((nint)start * width);
            var upToEnd = MatrixView.Of(problem.Queries, end, width, width);
            Gemm.Multiply(cpu, MatrixView.Of(own, count, width, width), upToEnd.Transposed, body.Strip, stride, accumulate: false);
            (body.Start, body.Count) = (start, count);
            cpu.Workers.For((count + RowsPerTask - 1) / RowsPerTask, ref body);
            Gemm.Multiply(cpu, MatrixView.Of(body.Strip, count, end, stride), upToEnd, gradient + ((nint)start * width), width, accumulate: false);
            if (start > 0)
            {
                // Left of the diagonal block, which has both halves of its pairs.
                Gemm.Multiply(cpu, MatrixView.Of(body.Strip, count, start, stride).Transposed, MatrixView.Of(own, count, width, width), gradient, width, accumulate: true);
            }
        }
    }

    /// <summary>Some rows of a strip: from cosines to G_aj + G_ja in place.</summary>
    private struct StripBody : IParallelBody
    {
        public CosineProblem Problem;
        public double Shift;
        public float* Factors, PositiveGradients, Strip;
        public int Start, Count, Stride;

        public readonly void Run(int index, int worker)
        {
            int last = Math.Min(Count, (index + 1) * RowsPerTask);
            for (int row = index * RowsPerTask; row < last; row++)
            {
                Weigh(Start + row, Strip + ((nint)row * Stride));
            }
        }

        private readonly void Weigh(int anchor, float* row)
        {
            int columns = Start + Count, padded = CosineProblem.Padded(columns), positive = Problem.Positives[anchor];
            row[anchor] = Problem.Masked;
            Problem.MaskLabels(anchor, row, 0, padded);
            var own = Vector512.Create(Factors[anchor]);
            var scale = Vector512.Create(Problem.Scale);
            var bias = ScaledPower.BiasOf(Shift);
            for (int i = 0; i < padded; i += Vector512<float>.Count)
            {
                (ScaledPower.Of(Vector512.Load(row + i), scale, bias) * (own + Vector512.Load(Factors + i))).Store(row + i);
            }

            if (positive < columns)
            {
                row[positive] = PositiveGradients[anchor] + PositiveGradients[positive];
            }
        }
    }
}
