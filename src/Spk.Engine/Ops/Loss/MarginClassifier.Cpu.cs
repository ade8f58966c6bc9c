using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class MarginClassifier
{
    private static Saved CpuForward(
        CpuDevice cpu,
        Tensor embeddings,
        Tensor weight,
        Tensor labels,
        MarginRule margin,
        float scale,
        bool wantsEmbeddings,
        bool wantsWeight,
        Tensor loss,
        Tensor statistics)
    {
        var workspace = cpu.Workspace;
        RequireClasses(labels, weight.Shape[0]);
        var saved = new Saved
        {
            Unit = workspace.Rent(embeddings.Shape),
            Norms = workspace.Rent(new Shape(embeddings.Shape[0])),
            UnitWeight = workspace.Rent(weight.Shape),
            WeightNorms = workspace.Rent(new Shape(weight.Shape[0])),
            UnitGradient = wantsEmbeddings ? workspace.Rent(embeddings.Shape) : null,
            UnitWeightGradient = wantsWeight ? workspace.Rent(weight.Shape) : null,
        };
        UnitRows.Forward(cpu, embeddings, saved.Unit.Data, saved.Norms.Data);
        UnitRows.Forward(cpu, weight, saved.UnitWeight.Data, saved.WeightNorms.Data);

        // A class is a key, and the label says which one is an embedding's positive.
        var problem = new CosineProblem
        {
            Queries = saved.Unit.Data,
            Keys = saved.UnitWeight.Data,
            Rows = embeddings.Shape[0],
            KeyRows = weight.Shape[0],
            Width = weight.Shape[1],
            Positives = labels.IntData,
            KeysAreNegatives = true,
            Factor = 1,
            Margin = margin,
            Scale = CosineProblem.ScaleOf(scale),
        };
        problem.RentResults(cpu);
        RowSoftmax.Run(cpu, problem, wantsEmbeddings ? saved.UnitGradient!.Data : null, wantsWeight ? saved.UnitWeightGradient!.Data : null);
        problem.Summarize(loss.Data, statistics.Data);
        return saved;
    }

    private static void CpuBackward(CpuDevice cpu, Tensor? embeddings, Tensor? weight, in Saved saved, Tensor lossGradient)
    {
        float factor = lossGradient.Data[0];
        if (embeddings is not null)
        {
            var target = embeddings.GradForWrite(out bool accumulate);
            UnitRows.Backward(cpu, target, accumulate, saved.Unit.Data, saved.UnitGradient!.Data, saved.Norms.Data, factor);
        }

        if (weight is not null)
        {
            var target = weight.GradForWrite(out bool accumulate);
            UnitRows.Backward(cpu, target, accumulate, saved.UnitWeight.Data, saved.UnitWeightGradient!.Data, saved.WeightNorms.Data, factor);
        }
    }

    private static void RequireClasses(Tensor labels, int classes)
    {
        for (int i = 0; i < labels.Count; i++)
        {
            if ((uint)labels.IntData[i] >= (uint)classes)
            {
                throw new ShapeException($"Label {labels.IntData[i]} of row {i} is not one of the {classes} classes (0 to {classes - 1}) of the weight.");
            }
        }
    }
}
