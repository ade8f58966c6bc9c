using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Self-distillation over prototypes, DINO (Caron et al. 2021): the student's distribution over K prototypes follows the teacher's
/// for another view of the same utterance. The last, weight-normalised layer of both heads is part of the op.
/// </summary>
/// <remarks>
/// <para>
/// Logits are x·v_k / max(‖v_k‖, 1e-12). With q_t = softmax((T_t − c)/τ_t) of the teacher's view t and p_s = softmax(S_s/τ_s) of the
/// student's view s: L = 1/n Σ_t Σ_{s≠t} mean over utterances of −Σ_k q_t log p_s, where n counts the pairs. Nothing flows to the teacher.
/// </para>
/// <para>
/// The logits exist for a block of prototypes at a time: 16 MiB, more only above 16,384 rows. One pass sums the softmax of all rows;
/// the backward pass makes the logits of each block again where there is more than one. Results do not depend on the thread count.
/// Products are f32 in every <see cref="Devices.Precision"/>.
/// </para>
/// </remarks>
public static partial class PrototypeDistill
{
    private const float NormFloor = 1e-12f;

    // Fewer columns would not make a product worth its start.
    private const int NarrowestBlock = 256;

    /// <summary>Returns the mean loss and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="student">
    /// Bottleneck rows of the student, f32 [S·B, D], view after view, the teacher's views first. Taken as they are: DINO's are unit rows
    /// (<see cref="Encoder.L2Normalize"/>). May be a channel view.
    /// </param>
    /// <param name="teacher">Bottleneck rows of the teacher, f32 [V·B, D], view after view; constant.</param>
    /// <param name="studentPrototypes">v of the student's last layer, f32 [K, D]; its rows are normalised inside.</param>
    /// <param name="teacherPrototypes">v of the teacher's last layer, f32 [K, D]; constant.</param>
    /// <param name="centre">c, f32 [K]; constant. May be changed as soon as the call returns.</param>
    /// <param name="options">Temperatures and views.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other or the number of views.</exception>
    /// <exception cref="InvalidOptionException">A temperature or the number of views is out of range.</exception>
    public static Tensor Forward(
        Tape? tape, Tensor student, Tensor teacher, Tensor studentPrototypes, Tensor teacherPrototypes, Tensor centre, in PrototypeDistillOptions options) =>
        Forward(tape, student, teacher, studentPrototypes, teacherPrototypes, centre, options, out _);

    /// <inheritdoc cref="Forward(Tape?, Tensor, Tensor, Tensor, Tensor, Tensor, in PrototypeDistillOptions)"/>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="student">
    /// Bottleneck rows of the student, f32 [S·B, D], view after view, the teacher's views first. Taken as they are: DINO's are unit rows
    /// (<see cref="Encoder.L2Normalize"/>). May be a channel view.
    /// </param>
    /// <param name="teacher">Bottleneck rows of the teacher, f32 [V·B, D], view after view; constant.</param>
    /// <param name="studentPrototypes">v of the student's last layer, f32 [K, D]; its rows are normalised inside.</param>
    /// <param name="teacherPrototypes">v of the teacher's last layer, f32 [K, D]; constant.</param>
    /// <param name="centre">c, f32 [K]; constant. May be changed as soon as the call returns.</param>
    /// <param name="options">Temperatures and views.</param>
    /// <param name="statistics">Gauges of collapse, and the mean logits for <see cref="UpdateCentre"/>.</param>
    public static Tensor Forward(
        Tape? tape,
        Tensor student,
        Tensor teacher,
        Tensor studentPrototypes,
        Tensor teacherPrototypes,
        Tensor centre,
        in PrototypeDistillOptions options,
        out PrototypeDistillStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(teacher);
        ArgumentNullException.ThrowIfNull(studentPrototypes);
        ArgumentNullException.ThrowIfNull(teacherPrototypes);
        ArgumentNullException.ThrowIfNull(centre);
        var sizes = Sizes.Of(student, teacher, studentPrototypes, teacherPrototypes, centre, options);
        var workspace = student.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var values = workspace.Rent(new Shape(PrototypeDistillStatistics.Count));
        var means = workspace.Rent(new Shape(sizes.Prototypes));
        statistics = new PrototypeDistillStatistics(values, means);

        bool wantsPrototypes = studentPrototypes.RequiresGrad && !options.FreezePrototypes;
        bool records = tape is not null && (student.RequiresGrad || wantsPrototypes);
        var operands = new Operands { Student = student, Teacher = teacher, StudentPrototypes = studentPrototypes, TeacherPrototypes = teacherPrototypes };
        if (student.Device is CudaDevice cuda)
        {
            CudaForward(cuda, sizes, ref operands, centre, loss, values, means);
        }
        else
        {
            CpuForward(Cpu.Of(student.Device), sizes, ref operands, centre, loss, values, means);
        }

        if (records)
        {
            loss.RequiresGrad = true;
            var node = tape!.Record<Node>();
            (node.Sizes, node.Operands, node.Loss, node.WantsPrototypes) = (sizes, operands, loss, wantsPrototypes);
        }

        return loss;
    }

    /// <summary>Moves the centre towards the mean logits of a batch, in place: c ← m·c + (1 − m)·mean.</summary>
    /// <param name="centre">c, f32 [K].</param>
    /// <param name="statistics">What the loss of this batch saw.</param>
    /// <param name="momentum">m, 0 to 1; 0.9 is usual.</param>
    /// <exception cref="ShapeException">The centre is of another length.</exception>
    /// <exception cref="InvalidOptionException">The momentum is outside 0 to 1.</exception>
    public static void UpdateCentre(Tensor centre, in PrototypeDistillStatistics statistics, double momentum) =>
        Ema.Step(centre, statistics.MeanTeacherLogits, momentum);

    private readonly struct Sizes
    {
        public int Batch { get; private init; }

        public int StudentViews { get; private init; }

        public int TeacherViews { get; private init; }

        public int Prototypes { get; private init; }

        public int Width { get; private init; }

        /// <summary>log2(e)/τ of the student and of the teacher.</summary>
        public float StudentScale { get; private init; }

        public float TeacherScale { get; private init; }

        public int StudentRows => StudentViews * Batch;

        public int TeacherRows => TeacherViews * Batch;

        /// <summary>1/(n·B·τ_s): the derivative of the loss by a difference of probabilities, n the pairs of different views.</summary>
        public float GradientScale => (float)(StudentScale * CosineProblem.LogOfTwo / ((double)TeacherViews * (StudentViews - 1) * Batch));

        /// <summary>Prototypes of a block, a multiple of 16; the last block may have fewer.</summary>
        public int BlockWidth { get; private init; }

        public static Sizes Of(
            Tensor student, Tensor teacher, Tensor studentPrototypes, Tensor teacherPrototypes, Tensor centre, in PrototypeDistillOptions options)
        {
            RequireTemperature(options.StudentTemperature, "StudentTemperature");
            RequireTemperature(options.TeacherTemperature, "TeacherTemperature");
            if (options.TeacherViews < 1)
            {
                throw new InvalidOptionException(string.Create(CultureInfo.InvariantCulture, $"TeacherViews = {options.TeacherViews} is out of range: it must be 1 or more."));
            }

            int batch = teacher.Shape.Rank == 2 ? teacher.Shape[0] / options.TeacherViews : 0;
            if (student.Shape.Rank != 2 || batch < 1 || teacher.Shape[0] != batch * options.TeacherViews || student.Shape[0] % batch != 0
                || student.Shape[0] / batch < Math.Max(2, options.TeacherViews))
            {
                throw new ShapeException(
                    $"Distillation needs student rows [S·B, D] and teacher rows [{options.TeacherViews}·B, D] with S at least {Math.Max(2, options.TeacherViews)}; given {student.Shape} and {teacher.Shape}.");
            }

            int width = student.Shape[1];
            if (width < 1 || teacher.Shape[1] != width || studentPrototypes.Shape.Rank != 2 || studentPrototypes.Shape[0] < 1
                || studentPrototypes.Shape[1] != width || teacherPrototypes.Shape != studentPrototypes.Shape)
            {
                throw new ShapeException(
                    $"Distillation needs rows [., D] and prototypes [K, D] of both sides; given rows {student.Shape} and {teacher.Shape}, prototypes {studentPrototypes.Shape} and {teacherPrototypes.Shape}.");
            }

            if (centre.Count != studentPrototypes.Shape[0])
            {
                throw new ShapeException($"The centre needs {studentPrototypes.Shape[0]} elements, one a prototype; given {centre.Shape}.");
            }

            int prototypes = studentPrototypes.Shape[0];
            int widest = Math.Max(NarrowestBlock, options.LogitsAtOnce / (student.Shape[0] + teacher.Shape[0]));
            int blocks = (prototypes + widest - 1) / widest;
            return new Sizes
            {
                Batch = batch,
                StudentViews = student.Shape[0] / batch,
                TeacherViews = options.TeacherViews,
                Prototypes = prototypes,
                Width = width,
                BlockWidth = CosineProblem.Padded((prototypes + blocks - 1) / blocks),
                StudentScale = CosineProblem.ScaleOf(1.0 / options.StudentTemperature),
                TeacherScale = CosineProblem.ScaleOf(1.0 / options.TeacherTemperature),
            };
        }

        private static void RequireTemperature(float value, string name)
        {
            if (!(value > 0) || !float.IsFinite(1 / value))
            {
                throw new InvalidOptionException($"{name} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: it must be above 0 (0.1 and 0.04 are usual).");
            }
        }
    }

    // The inputs, and what the forward pass leaves for the backward pass.
    private struct Operands
    {
        public Tensor Student, Teacher, StudentPrototypes, TeacherPrototypes;

        /// <summary>A copy, because the centre moves before the backward pass.</summary>
        public Tensor Centre;

        /// <summary>1 / max(‖v_k‖, 1e-12), the student's, then the teacher's: [2, K].</summary>
        public Tensor InverseNorms;

        /// <summary>Logits of one block, [student rows + teacher rows, BlockWidth]; those of all prototypes where one block holds them.</summary>
        public Tensor Logits;

        /// <summary>What the forward pass found of each row's softmax.</summary>
        public Tensor Sums;
    }

    private sealed class Node : TapeNode
    {
        public Sizes Sizes;
        public Operands Operands;
        public Tensor Loss = null!;
        public bool WantsPrototypes;

        public override void Backward()
        {
            if (Loss.Grad is { } gradient)
            {
                var prototypes = WantsPrototypes ? Operands.StudentPrototypes : null;
                if (Loss.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, Sizes, Operands, prototypes, gradient);
                }
                else
                {
                    CpuBackward(Cpu.Of(Loss.Device), Sizes, Operands, prototypes, gradient);
                }
            }
        }
    }
}
