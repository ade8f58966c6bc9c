using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Encoders;
using Spk.Engine.Models;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Training.Checkpoints;
using Spk.Training.Data;
using Spk.Training.Positives;

namespace Spk.Training.Objectives;

/// <summary>
/// DINO (Caron et al., ICCV 2021; methods.md 7): the student, which sees long and short crops, follows the distribution over prototypes
/// that the teacher, its moving average, gives to the other long crop. The teacher's encoder is the result.
/// </summary>
/// <remarks>
/// SSPS replaces the teacher's vectors ahead of the prototypes, which are stored in place of 65,536 logits each: the present prototypes
/// then judge them anew. In frozen epochs prototypes get no gradient; weight decay still shortens them, which their layer normalises away.
/// </remarks>
public sealed class Dino : Objective
{
    /// <summary>Prefix of the student's parameters.</summary>
    public const string StudentPrefix = "student.";

    // The usual initial deviation of the head's weights and prototypes.
    private const float InitialDeviation = 0.02f;

    // Below this divergence the student has nothing left to learn: both say the same of every utterance.
    private const float SmallestDivergence = 1e-3f;

    private readonly DistillSpec _spec;
    private readonly MomentumEncoder _teacher;
    private readonly Projector _studentHead, _teacherHead;
    private readonly Parameter _studentPrototypes, _teacherPrototypes;
    private readonly Tensor _centre;
    private readonly PositiveSampling? _sampling;
    private PrototypeDistillStatistics _statistics;
    private Tensor? _first, _second;
    private StepPlace _place;

    /// <summary>Makes the objective.</summary>
    /// <param name="spec">Head, temperatures, centre and momentum.</param>
    /// <param name="positives">Where positives come from.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="Spk.Interop.InvalidOptionException">Other than two long crops.</exception>
    public Dino(ObjectiveSpec spec, PositiveSamplingSpec positives, ObjectiveContext context)
        : base(context, StudentPrefix + "encoder.")
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(positives);
        ObjectiveRules.RequireTwoViews(spec, context);
        _spec = spec.Distill;
        _teacher = new MomentumEncoder(context, Parameters, spec.Momentum, ModelKeys.EncoderPrefix);
        (_studentHead, _studentPrototypes) = Head(Parameters, StudentPrefix);
        (_teacherHead, _teacherPrototypes) = Head(_teacher.Parameters, Prefix);
        _centre = context.Device.AllocatePersistent(new Shape(_spec.Prototypes));
        _sampling = PositiveSampling.Create(positives, context, queues: 2, _spec.Bottleneck, Trained.EmbeddingSize);
    }

    /// <inheritdoc/>
    public override Encoder Encoder => _teacher.Encoder;

    /// <inheritdoc/>
    public override ParameterSet EncoderParameters => _teacher.Parameters;

    /// <inheritdoc/>
    public override ParameterSet MomentumParameters => _teacher.Parameters;

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics =>
        new(float.NaN, float.NaN, float.NaN, _statistics.TeacherEntropy, _statistics.Divergence);

    /// <inheritdoc/>
    public override long ReplayKey => BitConverter.SingleToUInt32Bits(TeacherTemperature) | (IsFrozen ? 1L << 32 : 0) | ((long)(_sampling?.Mode ?? 0) << 33);

    private bool IsFrozen => _place.Epoch < _spec.FrozenEpochs;

    private float TeacherTemperature => _spec.TeacherTemperatureAt(_place.Epoch);

    /// <inheritdoc/>
    public override void Allocate(ulong seed)
    {
        base.Allocate(seed);
        _teacher.Allocate();
    }

    /// <inheritdoc/>
    public override bool NeedsReferences(long epoch) => _sampling?.Collects(epoch) ?? false;

    /// <inheritdoc/>
    public override void BeginEpoch(long epoch, CancellationToken cancellation) => _sampling?.BeginEpoch(epoch, cancellation);

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _place = place;
        _sampling?.Prepare(batch, place);
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        int batch = Context.Batch;
        Embeddings = Trained.Forward(tape, features.Views, training: true);
        var student = GatherViews.Forward(
            tape, L2Normalize.Forward(tape, _studentHead.Forward(tape, WithLocalViews(tape, features.LocalViews), training: true)), Context.Views + Context.LocalViews);

        var seen = _teacher.Encoder.Forward(null, features.Views, training: true);
        var teacher = GatherViews.Forward(null, L2Normalize.Forward(null, _teacherHead.Forward(null, seen, training: true)), Context.Views);
        (_first, _second) = (teacher.Slice(0, batch), teacher.Slice(batch, batch));
        if (_sampling is { Mode: > 0 })
        {
            _sampling.Reference(_teacher.Encoder, features);
            var replaced = Context.Device.Workspace.Rent(teacher.Shape);
            Add.Copy(null, _sampling.Replace(null, _first, 0), replaced.Slice(0, batch));
            Add.Copy(null, _sampling.Replace(null, _second, 1), replaced.Slice(batch, batch));
            teacher = replaced;
        }

        var options = new PrototypeDistillOptions
        {
            StudentTemperature = _spec.StudentTemperature,
            TeacherTemperature = TeacherTemperature,
            TeacherViews = 2,
            FreezePrototypes = IsFrozen,
        };
        return PrototypeDistill.Forward(tape, student, teacher, _studentPrototypes.Value, _teacherPrototypes.Value, _centre, options, out _statistics);
    }

    /// <inheritdoc/>
    public override MovingAverage? MomentumAverage => _teacher.Following(_place.Step);

    /// <inheritdoc/>
    public override void Update()
    {
        PrototypeDistill.UpdateCentre(_centre, _statistics, _spec.CentreMomentum);
        _sampling?.Collect(_first!, _second!);
    }

    internal override void VisitState(StateVisitor visitor, long step)
    {
        visitor.Visit("dino.centre", _centre);
        _sampling?.VisitState(visitor, step);
    }

    internal override void CloseEpoch(ICollection<EpochFigure> figures) => _sampling?.CloseEpoch(figures);

    internal override string? Warning(ObjectiveStatistics statistics)
    {
        if (statistics.Divergence > SmallestDivergence)
        {
            return null;
        }

        double uniform = Math.Log(_spec.Prototypes);
        string how = statistics.TeacherEntropy < uniform / 2 ? "on one prototype: lower objective.distill.centreMomentum" : "evenly over all prototypes: lower objective.distill.teacherTemperature";
        return string.Create(CultureInfo.InvariantCulture,
            $"student and teacher say the same of every utterance (teacher entropy {statistics.TeacherEntropy:0.00} of {uniform:0.00}): all mass lies {how} or schedule.learningRate");
    }

    // Long crops first, then the short ones: one head, one batch norm for all.
    private Tensor WithLocalViews(Tape? tape, Tensor? localFeatures)
    {
        if (localFeatures is null)
        {
            return Embeddings;
        }

        var local = Trained.Forward(tape, localFeatures, training: true);
        int views = Embeddings.Shape[0], locals = local.Shape[0];
        var all = Context.Device.Workspace.Rent(new Shape(views + locals, Embeddings.Shape[1]));
        all.RequiresGrad = tape is not null;
        Add.Copy(tape, Embeddings, all.Slice(0, views));
        Add.Copy(tape, local, all.Slice(views, locals));
        return all;
    }

    private (Projector Head, Parameter Prototypes) Head(ParameterSet parameters, string prefix)
    {
        var head = new Projector(
            new ProjectorSpec
            {
                Inputs = Trained.EmbeddingSize,
                Hidden = _spec.Hidden,
                Outputs = _spec.Bottleneck,
                Activation = ActivationKind.Gelu,
                InitialDeviation = InitialDeviation,
            },
            parameters,
            prefix + "head.");
        return (head, parameters.Add(prefix + "prototypes", new Shape(_spec.Prototypes, _spec.Bottleneck), Initializer.Normal(InitialDeviation)));
    }
}
