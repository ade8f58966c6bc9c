using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class Ge2e
{
    private const string Source = "loss/ge2e";
    private const int Threads = 256, RowsOfBlock = 4;

    private static readonly KernelId CentroidsKernel = new(Source, "ge2e_centroids");
    private static readonly KernelId SoftmaxKernel = new(Source, "ge2e_softmax");
    private static readonly KernelId ContrastKernel = new(Source, "ge2e_contrast");
    private static readonly KernelId SummarizeKernel = new(Source, "ge2e_summarize");
    private static readonly KernelId GradientKernel = new(Source, "ge2e_gradient");
    private static readonly KernelId ScalarsKernel = new(Source, "ge2e_scalars");

    private static void CudaForward(CudaDevice cuda, in Work work, in Ge2eOptions options, Tensor loss)
    {
        L2Normalize.CudaForward(cuda, work.Rows, work.Unit, work.Norms, NormFloor);
        var vectors = new CudaVectors(work);
        cuda.Launch(
            CentroidsKernel, new LaunchShape(work.Dialogues, Threads), KernelArgument.Structure(&vectors), work.Members.Address, work.Members.RowStride);
        CudaGemm.Multiply(
            cuda, Matrix(work.Unit), Matrix(work.Centroids).Transposed, work.Cosines.Data, work.Cosines.RowStride, accumulate: false, precision: Precision.Fp32);
        var results = cuda.Workspace.Rent(new Shape(2 * 3, work.Count)); // f64
        cuda.Launch(
            options.Form == Ge2eForm.Softmax ? SoftmaxKernel : ContrastKernel, new LaunchShape((work.Count + RowsOfBlock - 1) / RowsOfBlock, 32 * RowsOfBlock),
            KernelArgument.Structure(&vectors), work.Cosines.Address, work.Cosines.RowStride, work.Scale.Address, work.Offset.Address,
            options.Weights?.Address ?? 0, options.Weights?.Count ?? 1, results.Address);
        cuda.Launch(SummarizeKernel, new LaunchShape(1, Threads), results.Address, work.Count, loss.Address, work.ScalarGradients.Address);
    }

    private static void CudaBackward(CudaDevice cuda, in Work work, Tensor lossGradient)
    {
        AddScalar(work.Scale, 0, work);
        AddScalar(work.Offset, 1, work);
        if (!work.Rows.RequiresGrad)
        {
            return;
        }

        var target = work.Rows.GradForWrite(out bool accumulate);
        var unitGradient = cuda.Workspace.Rent(work.Unit.Shape);
        var centroidGradient = cuda.Workspace.Rent(work.Centroids.Shape);
        var derivatives = MatrixView.Of(work.Cosines.Data, work.Count, work.Dialogues, work.Cosines.RowStride);
        CudaGemm.Multiply(cuda, derivatives, Matrix(work.Centroids), unitGradient.Data, work.Width, accumulate: false, precision: Precision.Fp32);
        CudaGemm.Multiply(cuda, derivatives.Transposed, Matrix(work.Unit), centroidGradient.Data, work.Width, accumulate: false, precision: Precision.Fp32);
        var vectors = new CudaVectors(work);
        cuda.Launch(
            GradientKernel, new LaunchShape(work.Dialogues, Threads), KernelArgument.Structure(&vectors), unitGradient.Address, centroidGradient.Address,
            work.NormalizesFirst ? 1 : 0, lossGradient.Address, target.Address, target.RowStride, accumulate ? 1 : 0);

        void AddScalar(Tensor parameter, int index, in Work work)
        {
            if (parameter.RequiresGrad)
            {
                var gradient = parameter.GradForWrite(out bool adds);
                cuda.Launch(
                    ScalarsKernel, new LaunchShape(1, 32), work.ScalarGradients.Address + (index * sizeof(float)), lossGradient.Address, gradient.Address, adds ? 1 : 0);
            }
        }
    }

    /// <summary>Ge2eVectors of engine/kernels/loss/ge2e.cu, field by field.</summary>
    private readonly struct CudaVectors(in Work work)
    {
        public readonly nint Unit = work.Unit.Address, Norms = work.Norms.Address;
        public readonly nint Centroids = work.Centroids.Address, CentroidNorms = work.CentroidNorms.Address;
        public readonly nint Others = work.Others.Address, OtherNorms = work.OtherNorms.Address;
        public readonly nint OwnCosines = work.OwnCosines.Address, OwnGradients = work.OwnGradients.Address;
        public readonly int Dialogues = work.Dialogues, Utterances = work.Utterances, Width = work.Width;
    }
}
