using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// What the softmax of every row of <see cref="PrototypeDistill"/> sums up, prototypes block by block. Powers are 2^(k·logit − shift),
/// k = log2(e)/τ; a row's shift is an integer that only grows, so its sums follow it exactly.
/// </summary>
/// <remarks>An item is one utterance with all its views, so that the teacher's powers are made once for all views of the student.</remarks>
internal unsafe struct DistillRows : IParallelBody
{
    // The teacher's powers of so many columns stay in the nearest cache; f32 sums are handed to f64 as often.
    public const int Span = 1024;

    public DistillBlock Block;
    public bool IsFirst;
    public int Batch, StudentViews, TeacherViews;
    public float StudentScale, TeacherScale;
    public nint Workers;

    /// <summary>By row, the student's before the teacher's: the shift, and Σ power.</summary>
    public double* Shifts, Powers;

    /// <summary>By row of the teacher: the highest logit, and Σ power · logit.</summary>
    public double* Highest, Moments;

    /// <summary>By view of the teacher, then by row of the student: Σ power of the teacher · logit of the student.</summary>
    public double* Products;

    public readonly int StudentRows => StudentViews * Batch;

    /// <summary>How many numbers <see cref="Bind"/> needs.</summary>
    public static int SumsOf(int studentRows, int teacherRows, int teacherViews) => (2 * studentRows) + (4 * teacherRows) + (teacherViews * studentRows);

    public void Bind(Tensor sums)
    {
        int teacherRows = TeacherViews * Batch, rows = StudentRows + teacherRows;
        Shifts = (double*)sums.Address;
        Powers = Shifts + rows;
        Highest = Powers + rows;
        Moments = Highest + teacherRows;
        Products = Moments + teacherRows;
    }

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        for (int s = 0; s < StudentViews; s++)
        {
            int row = (s * Batch) + index;
            double rescale = Raise(row, Block.Finish(row), StudentScale);
            Rescale(ref Powers[row], rescale);
        }

        for (int t = 0; t < TeacherViews; t++)
        {
            int row = (t * Batch) + index;
            float highest = Block.Finish(StudentRows + row);
            Highest[row] = IsFirst ? highest : Math.Max(highest, Highest[row]);
            double rescale = Raise(StudentRows + row, highest, TeacherScale);
            Rescale(ref Powers[StudentRows + row], rescale);
            Rescale(ref Moments[row], rescale);
            for (int s = 0; s < StudentViews; s++)
            {
                Rescale(ref Products[(t * StudentRows) + (s * Batch) + index], rescale);
            }
        }

        float* teacher = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)(TeacherViews * Span) * sizeof(float));
        for (int from = 0; from < Block.Columns; from += Span)
        {
            AddSpan(index, from, Math.Min(Span, Block.Columns - from), teacher);
        }
    }

    /// <summary>Loss and statistics, summed in the order of the rows.</summary>
    public readonly void Summarize(float* loss, float* statistics)
    {
        int teacherRows = TeacherViews * Batch;
        double sum = 0, entropies = 0, highest = 0;
        for (int row = 0; row < teacherRows; row++)
        {
            double powers = Powers[StudentRows + row], shift = Shifts[StudentRows + row];
            entropies += Math.Log(powers) + (CosineProblem.LogOfTwo * (shift - (TeacherScale * Moments[row] / powers)));
            highest += Math.Exp(CosineProblem.LogOfTwo * ((TeacherScale * Highest[row]) - shift)) / powers;
            int t = row / Batch;
            for (int s = 0; s < StudentViews; s++)
            {
                int other = (s * Batch) + (row % Batch);
                sum += s == t ? 0 : Math.Log(Powers[other]) + (CosineProblem.LogOfTwo * (Shifts[other] - (StudentScale * Products[(t * StudentRows) + other] / powers)));
            }
        }

        double mean = sum / ((double)teacherRows * (StudentViews - 1)), entropy = entropies / teacherRows;
        loss[0] = (float)mean;
        statistics[0] = (float)entropy;
        statistics[1] = (float)(mean - entropy);
        statistics[2] = (float)(highest / teacherRows);
    }

    // Lifts a row's shift to its highest logit; returns what its sums so far are to be multiplied by.
    private readonly double Raise(int row, float highest, float scale)
    {
        double wanted = Math.Ceiling((double)highest * scale);
        double before = IsFirst ? wanted : Shifts[row];
        Shifts[row] = Math.Max(before, wanted);
        return Math.Pow(2, before - Shifts[row]);
    }

    private readonly void Rescale(ref double sum, double factor) => sum = IsFirst ? 0 : sum * factor;

    private readonly void AddSpan(int index, int from, int count, float* teacher)
    {
        for (int t = 0; t < TeacherViews; t++)
        {
            int row = (t * Batch) + index;
            float* logits = Block.Row(StudentRows + row) + from;
            Powers[StudentRows + row] += Exponentiate(logits, count, TeacherScale, Shifts[StudentRows + row], teacher + (t * Span));
            Moments[row] += UnitRows.Dot(teacher + (t * Span), logits, count);
        }

        for (int s = 0; s < StudentViews; s++)
        {
            int row = (s * Batch) + index;
            float* logits = Block.Row(row) + from;
            Powers[row] += Exponentiate(logits, count, StudentScale, Shifts[row], null);
            for (int t = 0; t < TeacherViews; t++)
            {
                if (t != s)
                {
                    Products[(t * StudentRows) + row] += UnitRows.Dot(teacher + (t * Span), logits, count);
                }
            }
        }
    }

    private static double Exponentiate(float* logits, int count, float scale, double shift, float* powers)
    {
        var scales = Vector512.Create(scale);
        var bias = ScaledPower.BiasOf(shift);
        var sums = Vector512<float>.Zero;
        for (int i = 0; i < count; i += Vector512<float>.Count)
        {
            var power = DistillBlock.Valid(count - i) & ScaledPower.Of(Vector512.Load(logits + i), scales, bias);
            sums += power;
            if (powers != null)
            {
                power.Store(powers + i);
            }
        }

        return Vector512.Sum(Vector512.WidenLower(sums) + Vector512.WidenUpper(sums));
    }
}
