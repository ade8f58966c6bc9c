using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class PrototypeDistill
{
    private static void CpuForward(CpuDevice cpu, in Sizes sizes, ref Operands operands, Tensor centre, Tensor loss, Tensor statistics, Tensor means)
    {
        var workspace = cpu.Workspace;
        operands.TeacherAndMean = workspace.Rent(new Shape(sizes.TeacherRows + 1, sizes.Width));
        operands.Centre = workspace.Rent(new Shape(CosineProblem.Padded(sizes.Prototypes)));
        operands.InverseNorms = workspace.Rent(new Shape(2, CosineProblem.Padded(sizes.Prototypes)));
        operands.Logits = workspace.Rent(new Shape(sizes.StudentRows + sizes.TeacherRows + 1, sizes.BlockWidth));
        operands.Sums = workspace.Rent(new Shape(2 * DistillRows.SumsOf(sizes.StudentRows, sizes.TeacherRows, sizes.TeacherViews)));
        NativeMemory.Copy(centre.Data, operands.Centre.Data, (nuint)sizes.Prototypes * sizeof(float));
        CopyWithMean(operands.Teacher, operands.TeacherAndMean);
        InvertNorms(cpu, operands.StudentPrototypes, operands.InverseNorms.Row(0));
        InvertNorms(cpu, operands.TeacherPrototypes, operands.InverseNorms.Row(1));

        var body = RowsOf(cpu, sizes, operands);
        for (int first = 0; first < sizes.Prototypes; first += sizes.BlockWidth)
        {
            Multiply(cpu, sizes, operands, first);
            body.Block = BlockOf(sizes, operands, first);
            body.Means = means.Data + first;
            body.IsFirst = first == 0;
            cpu.Workers.For(sizes.Batch + 1, ref body);
        }

        body.Summarize(loss.Data, statistics.Data);
    }

    private static void CpuBackward(CpuDevice cpu, in Sizes sizes, in Operands operands, Tensor? prototypes, Tensor lossGradient)
    {
        bool addsRows = false, addsPrototypes = false;
        var student = operands.Student;
        var rowGradient = student.RequiresGrad ? student.GradForWrite(out addsRows) : null;
        var prototypeGradient = prototypes?.GradForWrite(out addsPrototypes);
        var v = operands.StudentPrototypes;
        var derivatives = new DistillDerivatives
        {
            Rows = RowsOf(cpu, sizes, operands),
            Factor = lossGradient.Data[0] * (float)(DistillRows.LogOfTwo * sizes.StudentScale / ((double)sizes.Pairs * sizes.Batch)),
            Along = cpu.Workspace.Rent(new Shape(sizes.BlockWidth)).Data,
            NormFloor = NormFloor,
        };
        for (int first = 0; first < sizes.Prototypes; first += sizes.BlockWidth)
        {
            int columns = Math.Min(sizes.BlockWidth, sizes.Prototypes - first);
            var block = BlockOf(sizes, operands, first);
            if (sizes.BlockWidth < sizes.Prototypes)
            {
                Multiply(cpu, sizes, operands, first);
                var finish = new FinishBody { Block = block };
                cpu.Workers.For(sizes.StudentRows + sizes.TeacherRows, ref finish);
            }

            derivatives.Block = block;
            cpu.Workers.For(derivatives.Items, ref derivatives);
            var byLogits = MatrixView.Of(block.Logits, sizes.StudentRows, columns, block.Stride);
            if (rowGradient is not null)
            {
                Gemm.Multiply(
                    cpu, byLogits, MatrixView.Of(v.Row(first), columns, sizes.Width, v.RowStride), rowGradient.Data, rowGradient.RowStride, addsRows || first > 0);
            }

            if (prototypeGradient is not null)
            {
                var rows = MatrixView.Of(student.Data, sizes.StudentRows, sizes.Width, student.RowStride);
                Gemm.Multiply(cpu, byLogits.Transposed, rows, prototypeGradient.Row(first), prototypeGradient.RowStride, addsPrototypes);
                TakeAlong(cpu, prototypeGradient, v, derivatives.Along, first, columns);
            }
        }
    }

    // x·v_k for one block; the rows of the block are the student's, the teacher's and the teacher's mean.
    private static void Multiply(CpuDevice cpu, in Sizes sizes, in Operands operands, int first)
    {
        int columns = Math.Min(sizes.BlockWidth, sizes.Prototypes - first), stride = sizes.BlockWidth;
        Multiply(operands.Student, operands.StudentPrototypes, operands.Logits.Data);
        Multiply(operands.TeacherAndMean, operands.TeacherPrototypes, operands.Logits.Row(sizes.StudentRows));

        void Multiply(Tensor rows, Tensor prototypes, float* logits)
        {
            var a = MatrixView.Of(rows.Data, rows.Shape[0], rows.Shape[1], rows.RowStride);
            var b = MatrixView.Of(prototypes.Row(first), columns, rows.Shape[1], prototypes.RowStride);
            Gemm.Multiply(cpu, a, b.Transposed, logits, stride, accumulate: false);
        }
    }

    private static DistillBlock BlockOf(in Sizes sizes, in Operands operands, int first) => new()
    {
        Logits = operands.Logits.Data,
        Stride = sizes.BlockWidth,
        Columns = Math.Min(sizes.BlockWidth, sizes.Prototypes - first),
        StudentRows = sizes.StudentRows,
        TeacherRows = sizes.TeacherRows,
        StudentInverseNorms = operands.InverseNorms.Row(0) + first,
        TeacherInverseNorms = operands.InverseNorms.Row(1) + first,
        Centre = operands.Centre.Data + first,
    };

    private static DistillRows RowsOf(CpuDevice cpu, in Sizes sizes, in Operands operands)
    {
        var rows = new DistillRows
        {
            Batch = sizes.Batch,
            StudentViews = sizes.StudentViews,
            TeacherViews = sizes.TeacherViews,
            StudentScale = sizes.StudentScale,
            TeacherScale = sizes.TeacherScale,
            Workers = cpu.WorkersHandle,
        };
        rows.Bind(operands.Sums);
        return rows;
    }

    private static void CopyWithMean(Tensor rows, Tensor copy)
    {
        int count = rows.Shape[0], width = rows.Shape[1];
        for (int row = 0; row < count; row++)
        {
            NativeMemory.Copy(rows.Row(row), copy.Row(row), (nuint)width * sizeof(float));
        }

        for (int i = 0; i < width; i++)
        {
            double sum = 0;
            for (int row = 0; row < count; row++)
            {
                sum += rows.Row(row)[i];
            }

            copy.Row(count)[i] = (float)(sum / count);
        }
    }

    private static void InvertNorms(CpuDevice cpu, Tensor prototypes, float* inverseNorms)
    {
        var body = new NormsBody
        {
            X = prototypes.Data,
            Stride = prototypes.RowStride,
            Rows = prototypes.Shape[0],
            Width = prototypes.Shape[1],
            InverseNorms = inverseNorms,
        };
        cpu.Workers.For((body.Rows + NormsBody.RowsPerItem - 1) / NormsBody.RowsPerItem, ref body);
    }

    private static void TakeAlong(CpuDevice cpu, Tensor gradient, Tensor prototypes, float* along, int first, int count)
    {
        var body = new AlongBody
        {
            Gradient = gradient.Row(first),
            Prototypes = prototypes.Row(first),
            GradientStride = gradient.RowStride,
            Stride = prototypes.RowStride,
            Rows = count,
            Width = prototypes.Shape[1],
            Along = along,
        };
        cpu.Workers.For((count + NormsBody.RowsPerItem - 1) / NormsBody.RowsPerItem, ref body);
    }

    private struct FinishBody : IParallelBody
    {
        public DistillBlock Block;

        public readonly void Run(int index, int worker) => Block.Finish(index);
    }

    private struct NormsBody : IParallelBody
    {
        public const int RowsPerItem = 64;

        public float* X, InverseNorms;
        public int Stride, Rows, Width;

        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                float* x = X + ((nint)row * Stride);
                float norm = MathF.Sqrt((float)UnitRows.Dot(x, x, Width));
                InverseNorms[row] = 1 / (norm < NormFloor ? NormFloor : norm);
            }
        }
    }

    // The part of the gradient along v_k changes no logit: dv_k −= v_k (ŵ_k·dw_k) / ‖v_k‖.
    private struct AlongBody : IParallelBody
    {
        public float* Gradient, Prototypes, Along;
        public int GradientStride, Stride, Rows, Width;

        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * NormsBody.RowsPerItem);
            for (int row = index * NormsBody.RowsPerItem; row < end; row++)
            {
                float* to = Gradient + ((nint)row * GradientStride);
                TensorPrimitives.MultiplyAdd(
                    new ReadOnlySpan<float>(Prototypes + ((nint)row * Stride), Width), -Along[row], new ReadOnlySpan<float>(to, Width), new Span<float>(to, Width));
            }
        }
    }
}
