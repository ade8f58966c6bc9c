using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class Ge2e
{
    private static void CpuForward(CpuDevice cpu, in Work work, in Ge2eOptions options, Tensor loss)
    {
        UnitRows.Forward(cpu, work.Rows, work.Unit.Data, work.Norms.Data);
        var centroids = new Ge2eCentroids
        {
            Unit = work.Unit.Data,
            Members = work.Members.Data,
            MemberStride = work.Members.RowStride,
            Centroids = work.Centroids.Data,
            CentroidNorms = work.CentroidNorms.Data,
            Others = work.Others.Data,
            OtherNorms = work.OtherNorms.Data,
            OwnCosines = work.OwnCosines.Data,
            Dialogues = work.Dialogues,
            Utterances = work.Utterances,
            Width = work.Width,
            NormFloor = NormFloor,
        };
        cpu.Workers.For(work.Dialogues, ref centroids);
        Gemm.Multiply(cpu, Matrix(work.Unit), Matrix(work.Centroids).Transposed, work.Cosines.Data, work.Cosines.RowStride, accumulate: false);

        var rows = new Ge2eRows
        {
            Cosines = work.Cosines.Data,
            Stride = work.Cosines.RowStride,
            OwnCosines = work.OwnCosines.Data,
            OwnGradients = work.OwnGradients.Data,
            Dialogues = work.Dialogues,
            Count = work.Count,
            Form = options.Form,
            Scale = work.Scale.Data[0] < ScaleFloor ? ScaleFloor : work.Scale.Data[0],
            Offset = work.Offset.Data[0],
            Results = CosineProblem.RentDoubles(cpu, 3 * work.Count),
        };
        if (options.Weights is { } weights)
        {
            rows.Weights = weights.Data;
            rows.WeightCount = weights.Count;
        }

        cpu.Workers.For(rows.Items, ref rows);
        rows.Summarize(loss.Data, work.ScalarGradients.Data);
    }

    private static void CpuBackward(CpuDevice cpu, in Work work, Tensor lossGradient)
    {
        float factor = lossGradient.Data[0];
        AddScalar(work.Scale, factor * work.ScalarGradients.Data[0]);
        AddScalar(work.Offset, factor * work.ScalarGradients.Data[1]);
        if (!work.Rows.RequiresGrad)
        {
            return;
        }

        var target = work.Rows.GradForWrite(out bool accumulate);
        var unitGradient = cpu.Workspace.Rent(work.Unit.Shape);
        var centroidGradient = cpu.Workspace.Rent(work.Centroids.Shape);
        var derivatives = MatrixView.Of(work.Cosines.Data, work.Count, work.Dialogues, work.Cosines.RowStride);
        Gemm.Multiply(cpu, derivatives, Matrix(work.Centroids), unitGradient.Data, work.Width, accumulate: false);
        Gemm.Multiply(cpu, derivatives.Transposed, Matrix(work.Unit), centroidGradient.Data, work.Width, accumulate: false);
        var body = new Ge2eGradient
        {
            Unit = work.Unit.Data,
            Norms = work.Norms.Data,
            Centroids = work.Centroids.Data,
            CentroidNorms = work.CentroidNorms.Data,
            Others = work.Others.Data,
            OtherNorms = work.OtherNorms.Data,
            OwnCosines = work.OwnCosines.Data,
            OwnGradients = work.OwnGradients.Data,
            UnitGradient = unitGradient.Data,
            CentroidGradient = centroidGradient.Data,
            Target = target.Data,
            TargetStride = target.RowStride,
            Accumulate = accumulate,
            Dialogues = work.Dialogues,
            Utterances = work.Utterances,
            Width = work.Width,
            NormalizesFirst = work.NormalizesFirst,
            Factor = factor,
            NormFloor = NormFloor,
        };
        cpu.Workers.For(work.Dialogues, ref body);
    }

    private static MatrixView Matrix(Tensor x) => MatrixView.Of(x.Data, x.Shape[0], x.Shape[1], x.RowStride);

    private static void AddScalar(Tensor parameter, float value)
    {
        if (parameter.RequiresGrad)
        {
            var gradient = parameter.GradForWrite(out bool accumulate);
            gradient.Data[0] = accumulate ? gradient.Data[0] + value : value;
        }
    }
}
