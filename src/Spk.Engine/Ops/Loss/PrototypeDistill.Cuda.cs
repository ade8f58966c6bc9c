using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class PrototypeDistill
{
    private const string Source = "loss/prototype_distill";
    private const int Warp = 32, WarpsOfBlock = 4, Threads = Warp * WarpsOfBlock, PartColumns = 512, ElementThreads = 256;

    private static readonly KernelId MeanKernel = new(Source, "prototype_distill_mean");
    private static readonly KernelId NormsKernel = new(Source, "prototype_distill_norms");
    private static readonly KernelId SumsKernel = new(Source, "prototype_distill_sums");
    private static readonly KernelId MergeKernel = new(Source, "prototype_distill_merge");
    private static readonly KernelId SummarizeKernel = new(Source, "prototype_distill_summarize");
    private static readonly KernelId DeriveKernel = new(Source, "prototype_distill_derive");
    private static readonly KernelId GradientKernel = new(Source, "prototype_distill_gradient");

    private static void CudaForward(CudaDevice cuda, in Sizes sizes, ref Operands operands, Tensor centre, Tensor loss, Tensor statistics, Tensor means)
    {
        var workspace = cuda.Workspace;
        int rows = sizes.StudentRows + sizes.TeacherRows;
        int blocks = DivideUp(sizes.Prototypes, sizes.BlockWidth), partsOfBlock = DivideUp(sizes.BlockWidth, PartColumns);
        int parts = ((blocks - 1) * partsOfBlock) + DivideUp(sizes.Prototypes - ((blocks - 1) * sizes.BlockWidth), PartColumns);
        operands.Centre = workspace.Rent(new Shape(sizes.Prototypes));
        operands.InverseNorms = workspace.Rent(new Shape(2, sizes.Prototypes));
        operands.Logits = workspace.Rent(new Shape(rows, sizes.BlockWidth));
        operands.Sums = workspace.Rent(new Shape(2, rows));
        var powerSums = workspace.Rent(new Shape(parts, rows, 2));
        var teacherSums = workspace.Rent(new Shape(parts, sizes.TeacherRows, 2));
        var products = workspace.Rent(new Shape(parts, sizes.TeacherViews, sizes.StudentRows));
        var results = workspace.Rent(new Shape(2 * 4, rows)); // f64
        var mean = workspace.Rent(new Shape(sizes.Width));

        var (teacher, ours, theirs) = (operands.Teacher, operands.StudentPrototypes, operands.TeacherPrototypes);
        cuda.Copy(operands.Centre.Address, centre.Address, (long)sizes.Prototypes * sizeof(float));
        cuda.Launch(
            MeanKernel, new LaunchShape(DivideUp(sizes.Width, Warp), Warp, BlockY: 8), teacher.Address, teacher.RowStride, sizes.TeacherRows, sizes.Width, mean.Address);
        var perPrototype = new LaunchShape(DivideUp(sizes.Prototypes, WarpsOfBlock), Threads);
        cuda.Launch(
            NormsKernel, perPrototype, ours.Address, ours.RowStride, sizes.Prototypes, sizes.Width, operands.InverseNorms.Row(0), (nint)0, (nint)0);
        cuda.Launch(
            NormsKernel, perPrototype, theirs.Address, theirs.RowStride, sizes.Prototypes, sizes.Width, operands.InverseNorms.Row(1), mean.Address, means.Address);

        var cudaSizes = new CudaDistillSizes(sizes);
        for (int block = 0; block < blocks; block++)
        {
            int first = block * sizes.BlockWidth;
            CudaMultiply(cuda, sizes, operands, first);
            var view = new CudaDistillBlock(sizes, operands, first);
            var shape = new LaunchShape(DivideUp(sizes.Batch, WarpsOfBlock), Threads, DivideUp(view.Columns, PartColumns));
            cuda.Launch(
                SumsKernel, shape, KernelArgument.Structure(&cudaSizes), KernelArgument.Structure(&view), block * partsOfBlock, powerSums.Address,
                teacherSums.Address, products.Address);
        }

        cuda.Launch(
            MergeKernel, new LaunchShape(DivideUp(rows, WarpsOfBlock), Threads), KernelArgument.Structure(&cudaSizes), parts, powerSums.Address,
            teacherSums.Address, products.Address, operands.Sums.Row(0), operands.Sums.Row(1), results.Address);
        cuda.Launch(
            SummarizeKernel, new LaunchShape(1, ElementThreads), KernelArgument.Structure(&cudaSizes), results.Address, loss.Address, statistics.Address);
    }

    private static void CudaBackward(CudaDevice cuda, in Sizes sizes, in Operands operands, Tensor? prototypes, Tensor lossGradient)
    {
        bool addsRows = false, addsPrototypes = false;
        var (student, v) = (operands.Student, operands.StudentPrototypes);
        var rowGradient = student.RequiresGrad ? student.GradForWrite(out addsRows) : null;
        var prototypeGradient = prototypes?.GradForWrite(out addsPrototypes);
        var scaled = prototypes is null ? null : cuda.Workspace.Rent(new Shape(sizes.BlockWidth, sizes.Width));
        var cudaSizes = new CudaDistillSizes(sizes);
        for (int first = 0; first < sizes.Prototypes; first += sizes.BlockWidth)
        {
            if (sizes.BlockWidth < sizes.Prototypes)
            {
                CudaMultiply(cuda, sizes, operands, first);
            }

            var view = new CudaDistillBlock(sizes, operands, first);
            cuda.Launch(
                DeriveKernel, new LaunchShape(DivideUp(view.Columns, ElementThreads), ElementThreads, sizes.Batch), KernelArgument.Structure(&cudaSizes),
                KernelArgument.Structure(&view), operands.Sums.Row(0), operands.Sums.Row(1), lossGradient.Address, sizes.GradientScale);
            var byLogits = MatrixView.Of(operands.Logits.Data, sizes.StudentRows, view.Columns, sizes.BlockWidth);
            if (rowGradient is not null)
            {
                var block = MatrixView.Of(v.Row(first), view.Columns, sizes.Width, v.RowStride);
                CudaMultiply(cuda, byLogits, block, rowGradient.Data, rowGradient.RowStride, addsRows || first > 0);
            }

            if (prototypeGradient is not null)
            {
                var rows = MatrixView.Of(student.Data, sizes.StudentRows, sizes.Width, student.RowStride);
                CudaMultiply(cuda, byLogits.Transposed, rows, scaled!.Data, sizes.Width, accumulate: false);
                cuda.Launch(
                    GradientKernel, new LaunchShape(DivideUp(view.Columns, WarpsOfBlock), Threads), scaled.Address, v.Row(first), v.RowStride,
                    operands.InverseNorms.Row(0) + first, prototypeGradient.Row(first), prototypeGradient.RowStride, view.Columns, sizes.Width,
                    addsPrototypes ? 1 : 0);
            }
        }
    }

    private static void CudaMultiply(CudaDevice cuda, in Sizes sizes, in Operands operands, int first)
    {
        int columns = Math.Min(sizes.BlockWidth, sizes.Prototypes - first), stride = sizes.BlockWidth;
        Multiply(operands.Student, operands.StudentPrototypes, operands.Logits.Data);
        Multiply(operands.Teacher, operands.TeacherPrototypes, operands.Logits.Row(sizes.StudentRows));

        void Multiply(Tensor rows, Tensor prototypes, float* logits)
        {
            var a = MatrixView.Of(rows.Data, rows.Shape[0], rows.Shape[1], rows.RowStride);
            var b = MatrixView.Of(prototypes.Row(first), columns, rows.Shape[1], prototypes.RowStride);
            CudaMultiply(cuda, a, b.Transposed, logits, stride, accumulate: false);
        }
    }

    // What a product splits its sums into is given back at once: the next product runs after it.
    private static void CudaMultiply(CudaDevice cuda, in MatrixView a, in MatrixView b, float* c, int stride, bool accumulate)
    {
        var before = cuda.Workspace.Position;
        CudaGemm.Multiply(cuda, a, b, c, stride, accumulate, precision: Precision.Fp32);
        cuda.Workspace.Advance(before);
    }

    private static int DivideUp(int value, int by) => (value + by - 1) / by;

    /// <summary>DistillSizes of engine/kernels/loss/prototype_distill.cu, field by field.</summary>
    private readonly struct CudaDistillSizes(in Sizes sizes)
    {
        public readonly int Batch = sizes.Batch, StudentViews = sizes.StudentViews, TeacherViews = sizes.TeacherViews;
        public readonly float StudentScale = sizes.StudentScale, TeacherScale = sizes.TeacherScale;
    }

    /// <summary>DistillBlock of engine/kernels/loss/prototype_distill.cu, field by field.</summary>
    private readonly struct CudaDistillBlock(in Sizes sizes, in Operands operands, int first)
    {
        public readonly float* Logits = operands.Logits.Data;
        public readonly float* StudentInverseNorms = operands.InverseNorms.Row(0) + first;
        public readonly float* TeacherInverseNorms = operands.InverseNorms.Row(1) + first;
        public readonly float* Centre = operands.Centre.Data + first;
        public readonly int Stride = sizes.BlockWidth, Columns = Math.Min(sizes.BlockWidth, sizes.Prototypes - first);
    }
}
