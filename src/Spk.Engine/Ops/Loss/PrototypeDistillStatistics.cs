using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// What <see cref="PrototypeDistill"/> saw: the gauges of collapse. Reading copies from the device and allocates nothing; valid until
/// the workspace is reset.
/// </summary>
public readonly struct PrototypeDistillStatistics
{
    internal const int Count = 3;
    private readonly Tensor _values;

    internal PrototypeDistillStatistics(Tensor values, Tensor meanTeacherLogits) => (_values, MeanTeacherLogits) = (values, meanTeacherLogits);

    /// <summary>Mean entropy of the teacher's distributions in nats: 0 where each chooses one prototype, ln K where they are uniform.</summary>
    public float TeacherEntropy => Read(0);

    /// <summary>Mean divergence KL(teacher ‖ student) over the pairs of views in nats, 0 or more: the loss without the teacher's entropy.</summary>
    public float Divergence => Read(1);

    /// <summary>Mean over the teacher's rows of their largest probability, 1/K to 1.</summary>
    public float MeanHighestProbability => Read(2);

    /// <summary>
    /// Mean of the teacher's logits over its rows, before centring, f32 [K] in the workspace: what the centre moves to. With several
    /// processes it is averaged over them before <see cref="PrototypeDistill.UpdateCentre"/>.
    /// </summary>
    public Tensor MeanTeacherLogits { get; }

    private float Read(int index)
    {
        Span<float> values = stackalloc float[Count];
        _values.CopyTo(values);
        return values[index];
    }
}
