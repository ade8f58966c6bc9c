using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Ops.Loss;

/// <summary>The logits of all rows for a block of prototypes, the student's rows before the teacher's.</summary>
internal unsafe struct DistillBlock
{
    public float* Logits;

    /// <summary>Elements from row to row, a multiple of 16 like everything that is read by vectors here.</summary>
    public int Stride;

    public int Columns, StudentRows;

    public float* StudentInverseNorms, TeacherInverseNorms, Centre;

    public readonly float* Row(int row) => Logits + ((nint)row * Stride);

    /// <summary>
    /// Makes the products x·v of a row logits: divided by the norms, the teacher's centred. What the last vector has too much becomes 0.
    /// </summary>
    /// <returns>The highest logit.</returns>
    public readonly float Finish(int row)
    {
        bool teacher = row >= StudentRows;
        float* logits = Row(row);
        float* inverseNorms = teacher ? TeacherInverseNorms : StudentInverseNorms;
        var lowest = Vector512.Create(float.NegativeInfinity);
        var highest = lowest;
        for (int i = 0; i < Columns; i += Vector512<float>.Count)
        {
            var value = Vector512.Load(logits + i) * Vector512.Load(inverseNorms + i);
            if (teacher)
            {
                value -= Vector512.Load(Centre + i);
            }

            var valid = Valid(Columns - i);
            highest = Vector512.MaxNative(highest, Vector512.ConditionalSelect(valid, value, lowest));
            (valid & value).Store(logits + i);
        }

        float best = float.NegativeInfinity;
        for (int lane = 0; lane < Vector512<float>.Count; lane++)
        {
            best = Math.Max(best, highest[lane]);
        }

        return best;
    }

    /// <summary>All bits of the lanes below count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Valid(int count) => Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();
}
