using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class MarginClassifier
{
    // Bounds of an embedding's length, and what is added to their deviation.
    private const float ShortestLength = 1e-3f, LongestLength = 100f;
    private const double DeviationFloor = 1e-3;

    private static Saved CpuForward(
        CpuDevice cpu,
        Tensor embeddings,
        Tensor weight,
        Tensor labels,
        in Terms terms,
        bool wantsEmbeddings,
        bool wantsWeight,
        Tensor loss,
        Tensor statistics)
    {
        var workspace = cpu.Workspace;
        RequireClasses(labels, weight.Shape[0] / terms.SubCentres);
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
            Margin = terms.Rule,
            SubCentres = terms.SubCentres,
            Hardest = terms.Hardest,
            Hard = terms.Hard,
            Scale = CosineProblem.ScaleOf(terms.Scale),
            Qualities = terms.Qualities is null ? null : terms.Qualities.Data,
            AnchorWeights = terms.Weights is null ? null : terms.Weights.Data,
            WeightCount = embeddings.Shape[0],
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

    // Few numbers, one after the other.
    private static void CpuQualities(Tensor embeddings, in AdaptiveMargin margin, bool update, Tensor qualities)
    {
        int rows = embeddings.Shape[0], width = embeddings.Shape[1];
        float* state = margin.State.Data;
        double sum = 0, squares = 0;
        for (int row = 0; row < rows; row++)
        {
            float length = MathF.Sqrt((float)UnitRows.Dot(embeddings.Row(row), embeddings.Row(row), width));
            qualities.Data[row] = Math.Clamp(length, ShortestLength, LongestLength);
            sum += qualities.Data[row];
        }

        double batchMean = sum / rows;
        for (int row = 0; row < rows; row++)
        {
            double difference = qualities.Data[row] - batchMean;
            squares += difference * difference;
        }

        // A single row has no deviation.
        double rate = state[2] == 0 ? 1 : margin.Rate, batchDeviation = rows > 1 ? Math.Sqrt(squares / (rows - 1)) : state[1];
        double mean = state[0] + (rate * (batchMean - state[0])), deviation = state[1] + (rate * (batchDeviation - state[1]));
        for (int row = 0; row < rows; row++)
        {
            qualities.Data[row] = (float)Math.Clamp((qualities.Data[row] - mean) / (deviation + DeviationFloor) * margin.Concentration, -1, 1);
        }

        if (update)
        {
            (state[0], state[1], state[2]) = ((float)mean, (float)deviation, 1);
        }
    }

    private static void CpuComplement(Tensor weights, Tensor result)
    {
        for (int i = 0; i < weights.Count; i++)
        {
            result.Data[i] = 1 - weights.Data[i];
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
