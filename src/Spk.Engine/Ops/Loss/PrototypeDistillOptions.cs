namespace Spk.Engine.Ops.Loss;

/// <summary>How <see cref="PrototypeDistill"/> compares student and teacher.</summary>
public readonly record struct PrototypeDistillOptions
{
    /// <summary>Creates the defaults of DINO for speakers: τ_s = 0.1, τ_t = 0.04, two teacher views.</summary>
    public PrototypeDistillOptions() { }

    /// <summary>τ_s, above 0: the student's logits are divided by it.</summary>
    public float StudentTemperature { get; init; } = 0.1f;

    /// <summary>τ_t, above 0: the teacher's centred logits are divided by it. Below τ_s it sharpens the targets.</summary>
    public float TeacherTemperature { get; init; } = 0.04f;

    /// <summary>V, how many views the teacher sees, 1 or more: they are the first V views of the student.</summary>
    public int TeacherViews { get; init; } = 2;

    /// <summary>
    /// Leaves the gradient of the student's prototypes as it is: they are kept still in the first epoch. The optimiser has to leave
    /// them out too, or momentum and weight decay still move them.
    /// </summary>
    public bool FreezePrototypes { get; init; }

    /// <summary>How many logits exist at a time; 16 MiB of them unless a test wants several blocks of few prototypes.</summary>
    internal int LogitsAtOnce { get; init; } = 1 << 22;
}
