using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

/// <summary>The convolution and its gradient by x as one kind of sum, on any device.</summary>
public static unsafe partial class Conv2d
{
    /// <summary>
    /// target[n, i, j] (+)= Σ_p Σ_q source[n, i·StrideHeight + Top + p, j·StrideWidth + Left + q] · W_pq, with zeros outside the source.
    /// </summary>
    /// <remarks>
    /// The forward pass is one such sum. For the gradient by x, the rows and columns of x fall into classes by their remainder to the
    /// strides: elements of a class meet the same taps, and step through dy one by one. Every class is a correlation of dy with the taps
    /// in reverse, so that no product with zeros between the strides is made.
    /// </remarks>
    private struct Correlation
    {
        public int Batch;

        // The source [N, Height, Width, Channels] and the elements from a column to the next.
        public float* Source;
        public int Height, Width, Channels;
        public nint SourceStride;

        // Tap (p, q) is tap (FirstHeight + p·TapStepHeight, FirstWidth + q·TapStepWidth) of the weight.
        public int TapsHeight, TapsWidth, FirstHeight, FirstWidth, TapStepHeight, TapStepWidth;
        public int Top, Left, StrideHeight, StrideWidth;

        // The target [N, Rows, Columns, Outputs] and its distances.
        public float* Target;
        public int Rows, Columns, Outputs;
        public nint TargetItem, TargetRow, TargetColumn;

        /// <summary>Elements under the taps of a row: they follow each other in a contiguous source.</summary>
        public readonly int Run => TapsWidth * Channels;

        public static Correlation Forward(in Geometry g, Tensor x, Tensor y) => new()
        {
            Batch = g.Batch,
            Source = x.Data,
            Height = g.Height,
            Width = g.Width,
            Channels = g.Inputs,
            SourceStride = x.RowStride,
            TapsHeight = g.TapsHeight,
            TapsWidth = g.TapsWidth,
            TapStepHeight = 1,
            TapStepWidth = 1,
            Top = -g.PaddingHeight,
            Left = -g.PaddingWidth,
            StrideHeight = g.StrideHeight,
            StrideWidth = g.StrideWidth,
            Target = y.Data,
            Rows = g.OutputHeight,
            Columns = g.OutputWidth,
            Outputs = g.Outputs,
            TargetItem = (nint)g.OutputHeight * g.OutputWidth * y.RowStride,
            TargetRow = (nint)g.OutputWidth * y.RowStride,
            TargetColumn = y.RowStride,
        };

        /// <summary>The gradient of the elements of x at rows row + i·strideHeight and columns column + j·strideWidth.</summary>
        public static Correlation Gradient(in Geometry g, Tensor dy, Tensor dx, int row, int column)
        {
            var (tapsHeight, firstHeight, top) = Class(row, g.TapsHeight, g.StrideHeight, g.PaddingHeight);
            var (tapsWidth, firstWidth, left) = Class(column, g.TapsWidth, g.StrideWidth, g.PaddingWidth);
            return new()
            {
                Batch = g.Batch,
                Source = dy.Data,
                Height = g.OutputHeight,
                Width = g.OutputWidth,
                Channels = g.Outputs,
                SourceStride = dy.RowStride,
                TapsHeight = tapsHeight,
                TapsWidth = tapsWidth,
                FirstHeight = firstHeight,
                FirstWidth = firstWidth,
                TapStepHeight = -g.StrideHeight,
                TapStepWidth = -g.StrideWidth,
                Top = top,
                Left = left,
                StrideHeight = 1,
                StrideWidth = 1,
                Target = dx.Data + (((row * g.Width) + column) * (nint)dx.RowStride),
                Rows = (g.Height - row + g.StrideHeight - 1) / g.StrideHeight,
                Columns = (g.Width - column + g.StrideWidth - 1) / g.StrideWidth,
                Outputs = g.Inputs,
                TargetItem = (nint)g.Height * g.Width * dx.RowStride,
                TargetRow = (nint)g.StrideHeight * g.Width * dx.RowStride,
                TargetColumn = (nint)g.StrideWidth * dx.RowStride,
            };
        }

        // Along one axis: x at position a + i·s met tap k where dy lies at i + (a + pad − k) / s, for the taps k with the remainder of
        // a + pad. In order of dy these go from the last such tap down.
        private static (int Taps, int First, int Start) Class(int position, int taps, int stride, int padding)
        {
            int remainder = (position + padding) % stride;
            int count = remainder < taps ? ((taps - 1 - remainder) / stride) + 1 : 0;
            return (count, remainder + (stride * (count - 1)), ((position + padding) / stride) - count + 1);
        }
    }
}
