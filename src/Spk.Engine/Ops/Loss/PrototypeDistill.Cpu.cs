using System.Runtime.CompilerServices;
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
        int padded = CosineProblem.Padded(sizes.Prototypes);
        operands.Centre = workspace.Rent(new Shape(padded));
        operands.InverseNorms = workspace.Rent(new Shape(2, padded));
        operands.Logits = workspace.Rent(new Shape(sizes.StudentRows + sizes.TeacherRows, sizes.BlockWidth));
        operands.Sums = workspace.Rent(new Shape(2 * DistillRows.SumsOf(sizes.StudentRows, sizes.TeacherRows, sizes.TeacherViews)));
        NativeMemory.Copy(centre.Data, operands.Centre.Data, (nuint)sizes.Prototypes * sizeof(float));
        float* mean = workspace.Rent(new Shape(sizes.Width)).Data;
        Average(operands.Teacher, mean);
        InvertNorms(cpu, operands.StudentPrototypes, operands.InverseNorms.Row(0), null, null);
        InvertNorms(cpu, operands.TeacherPrototypes, operands.InverseNorms.Row(1), mean, means.Data);

        var body = RowsOf(cpu, sizes, operands);
        for (int first = 0; first < sizes.Prototypes; first += sizes.BlockWidth)
        {
            Multiply(cpu, sizes, operands, first);
            body.Block = BlockOf(sizes, operands, first);
            body.IsFirst = first == 0;
            cpu.Workers.For(sizes.Batch, ref body);
        }

        body.Summarize(loss.Data, statistics.Data);
    }

    private static void CpuBackward(CpuDevice cpu, in Sizes sizes, in Operands operands, Tensor? prototypes, Tensor lossGradient)
    {
        bool addsRows = false, addsPrototypes = false;
        var (student, v) = (operands.Student, operands.StudentPrototypes);
        var rowGradient = student.RequiresGrad ? student.GradForWrite(out addsRows) : null;
        var prototypeGradient = prototypes?.GradForWrite(out addsPrototypes);
        var unitGradient = prototypes is null ? null : cpu.Workspace.Rent(new Shape(sizes.BlockWidth, sizes.Width));
        var derivatives = new DistillDerivatives
        {
            Rows = RowsOf(cpu, sizes, operands),
            Factor = lossGradient.Data[0] * sizes.GradientScale,
        };
        for (int first = 0; first < sizes.Prototypes; first += sizes.BlockWidth)
        {
            int columns = Math.Min(sizes.BlockWidth, sizes.Prototypes - first);
            derivatives.Rows.Block = BlockOf(sizes, operands, first);
            derivatives.IsFinished = sizes.BlockWidth >= sizes.Prototypes;
            if (!derivatives.IsFinished)
            {
                Multiply(cpu, sizes, operands, first);
            }

            cpu.Workers.For(sizes.Batch, ref derivatives);
            var byLogits = MatrixView.Of(operands.Logits.Data, sizes.StudentRows, columns, sizes.BlockWidth);
            if (rowGradient is not null)
            {
                var block = MatrixView.Of(v.Row(first), columns, sizes.Width, v.RowStride);
                Gemm.Multiply(cpu, byLogits, block, rowGradient.Data, rowGradient.RowStride, addsRows || first > 0);
            }

            if (prototypeGradient is not null)
            {
                var rows = MatrixView.Of(student.Data, sizes.StudentRows, sizes.Width, student.RowStride);
                Gemm.Multiply(cpu, byLogits.Transposed, rows, unitGradient!.Data, sizes.Width, accumulate: false);
                var body = new PrototypeGradientBody
                {
                    UnitGradient = unitGradient.Data,
                    Prototypes = v.Row(first),
                    Gradient = prototypeGradient.Row(first),
                    InverseNorms = operands.InverseNorms.Row(0) + first,
                    Stride = v.RowStride,
                    GradientStride = prototypeGradient.RowStride,
                    Rows = columns,
                    Width = sizes.Width,
                    Accumulate = addsPrototypes,
                };
                cpu.Workers.For(body.Items, ref body);
            }
        }
    }

    // x·v_k for one block.
    private static void Multiply(CpuDevice cpu, in Sizes sizes, in Operands operands, int first)
    {
        int columns = Math.Min(sizes.BlockWidth, sizes.Prototypes - first), stride = sizes.BlockWidth;
        Multiply(operands.Student, operands.StudentPrototypes, operands.Logits.Data);
        Multiply(operands.Teacher, operands.TeacherPrototypes, operands.Logits.Row(sizes.StudentRows));

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

    private static void Average(Tensor rows, float* mean)
    {
        for (int i = 0; i < rows.Shape[1]; i++)
        {
            double sum = 0;
            for (int row = 0; row < rows.Shape[0]; row++)
            {
                sum += rows.Row(row)[i];
            }

            mean[i] = (float)(sum / rows.Shape[0]);
        }
    }

    // 1/‖v_k‖; and, while the rows are at hand, the logits of a mean row: as logits are linear, they are the mean logits.
    private static void InvertNorms(CpuDevice cpu, Tensor prototypes, float* inverseNorms, float* mean, float* meanLogits)
    {
        var body = new NormsBody
        {
            Prototypes = prototypes.Data,
            Stride = prototypes.RowStride,
            Rows = prototypes.Shape[0],
            Width = prototypes.Shape[1],
            InverseNorms = inverseNorms,
            Mean = mean,
            MeanLogits = meanLogits,
        };
        cpu.Workers.For(body.Items, ref body);
    }

    private struct NormsBody : IParallelBody
    {
        private const int RowsPerItem = 64;

        public float* Prototypes, InverseNorms, Mean, MeanLogits;
        public int Stride, Rows, Width;

        public readonly int Items => (Rows + RowsPerItem - 1) / RowsPerItem;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                float* v = Prototypes + ((nint)row * Stride);
                float norm = MathF.Sqrt((float)UnitRows.Dot(v, v, Width));
                InverseNorms[row] = 1 / (norm < NormFloor ? NormFloor : norm); // A comparison keeps a NaN.
                if (Mean != null)
                {
                    MeanLogits[row] = (float)(UnitRows.Dot(Mean, v, Width) * InverseNorms[row]);
                }
            }
        }
    }

    // dv_k = dw_k/‖v_k‖ without its part along v_k, which changes no logit; below the norm's floor with it, as v_k is then only scaled.
    private struct PrototypeGradientBody : IParallelBody
    {
        private const int RowsPerItem = 64;

        public float* UnitGradient, Prototypes, Gradient, InverseNorms;
        public int Stride, GradientStride, Rows, Width;
        public bool Accumulate;

        public readonly int Items => (Rows + RowsPerItem - 1) / RowsPerItem;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                float* source = UnitGradient + ((nint)row * Width);
                float* v = Prototypes + ((nint)row * Stride);
                var unit = new Span<float>(source, Width);
                var target = new Span<float>(Gradient + ((nint)row * GradientStride), Width);
                float inverseNorm = InverseNorms[row];
                float along = inverseNorm >= 1 / NormFloor ? 0 : (float)(-UnitRows.Dot(v, source, Width) * inverseNorm * inverseNorm);
                TensorPrimitives.MultiplyAdd(new ReadOnlySpan<float>(v, Width), along, unit, unit);
                if (Accumulate)
                {
                    TensorPrimitives.Add(unit, target, target);
                }
                else
                {
                    unit.CopyTo(target);
                }
            }
        }
    }
}
