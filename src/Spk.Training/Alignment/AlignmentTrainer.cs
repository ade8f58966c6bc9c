using System.Runtime.InteropServices;
using Spk.Engine.Alignment;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Optimization;

namespace Spk.Training.Alignment;

/// <summary>Learns to align the embeddings of two models that stay as they are.</summary>
public sealed class AlignmentTrainer
{
    private readonly AlignmentData _data;
    private readonly AlignmentSpec _spec;
    private readonly AlignmentNetwork? _enrolment, _runtime;
    private readonly ParameterSet _parameters;
    private readonly Parameter _scale;
    private readonly Optimizer _optimizer;
    private readonly Tape _tape = new();
    private readonly List<Tensor> _terms = [];
    private readonly List<float> _weights = [];
    private readonly Device _device;
    private readonly Tensor? _enrolmentUnit, _runtimeUnit;

    private AlignmentTrainer(AlignmentData data, AlignmentSpec spec, Device device)
    {
        (_data, _spec, _device) = (data, spec, device);
        _parameters = new ParameterSet(device);
        bool shared = spec.Variant == AlignmentVariant.Shared, toEnrolment = spec.Variant == AlignmentVariant.ToEnrolment;
        int size = toEnrolment || (shared && spec.Anchor == AlignmentAnchor.Enrolment) ? data.EnrolmentSize : data.RuntimeSize;
        _enrolment = toEnrolment ? null : new AlignmentNetwork(_parameters, "enrolment", data.EnrolmentSize, size, spec.Hidden);
        _runtime = shared || toEnrolment ? new AlignmentNetwork(_parameters, "runtime", data.RuntimeSize, size, spec.Hidden) : null;

        // GE2E's initial scale.
        _scale = _parameters.Add("scale", new Shape(1), Initializer.Constant(10));
        _parameters.Allocate(spec.Seed);
        Start(size);
        if (spec.OrthogonalPenalty > 0)
        {
            _enrolmentUnit = _enrolment is null ? null : Unit(data.EnrolmentSize);
            _runtimeUnit = _runtime is null ? null : Unit(data.RuntimeSize);
        }

        // Adam's coupled decay adds decay · W to the gradient; that of λ‖W‖² is 2λ · W. Offsets and the scale are no part of it.
        _optimizer = Optimizer.Create(new OptimizerSpec { WeightDecay = 2 * spec.WeightPenalty, DecayVectors = false }, _parameters);
    }

    /// <summary>Learns an aligner.</summary>
    /// <param name="data">Labelled utterances, embedded by both models; their speakers must not occur in any evaluation.</param>
    /// <param name="enrolmentModel">Identity of the model that made x.</param>
    /// <param name="runtimeModel">Identity of the model that made y.</param>
    /// <param name="spec">How.</param>
    /// <param name="device">Where.</param>
    /// <param name="progress">Told about every epoch; may be null.</param>
    /// <param name="cancellation">Ends the work after the present step.</param>
    /// <returns>The aligner of the epoch with the lowest false rejection rate on held-back speakers; of the last one where none are held back.</returns>
    /// <exception cref="InvalidOptionException">An option is out of range, or too few speakers are held back for the target FAR.</exception>
    /// <exception cref="NonFiniteException">The loss is not finite any more.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static AlignmentOutcome Run(
        AlignmentData data,
        string enrolmentModel,
        string runtimeModel,
        AlignmentSpec spec,
        Device device,
        IProgress<AlignmentProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(device);
        spec.Validate();
        var models = (Enrolment: new AlignedModel(enrolmentModel, data.EnrolmentSize), Runtime: new AlignedModel(runtimeModel, data.RuntimeSize));
        Aligner Make((AlignmentMap? Enrolment, AlignmentMap? Runtime) maps) => new(spec.Variant, models.Enrolment, models.Runtime, maps.Enrolment, maps.Runtime);
        if (spec.Variant is AlignmentVariant.Procrustes or AlignmentVariant.SpeakerLogits)
        {
            var maps = spec.Variant == AlignmentVariant.Procrustes ? ClosedForms.Procrustes(data) : ClosedForms.SpeakerLogits(data);
            return new AlignmentOutcome(Make(maps), 0, [], data.Count, data.Speakers.Count, 0);
        }

        var (training, heldBack) = data.Split(spec.HeldBack, spec.Seed);
        var trials = heldBack is null ? null : new HeldBackTrials(heldBack, spec.TargetFar);
        var (best, epoch, epochs) = new AlignmentTrainer(training, spec, device).Train(trials, progress, cancellation);
        return new AlignmentOutcome(Make(best), epoch, epochs, training.Count, training.Speakers.Count, heldBack?.Speakers.Count ?? 0);
    }

    private ((AlignmentMap? Enrolment, AlignmentMap? Runtime) Best, int Epoch, IReadOnlyList<AlignmentProgress> Epochs) Train(
        HeldBackTrials? trials, IProgress<AlignmentProgress>? progress, CancellationToken cancellation)
    {
        var batches = new AlignmentBatches(_data, _spec);
        var best = Fold();
        int bestEpoch = 0;
        var epochs = new List<AlignmentProgress> { new(0, double.NaN, trials?.Measure(best.Enrolment, best.Runtime)) };
        progress?.Report(epochs[0]);
        for (int epoch = 1; epoch <= _spec.Epochs; epoch++)
        {
            double sum = 0;
            for (int number = 0; number < batches.Count; number++)
            {
                cancellation.ThrowIfCancellationRequested();
                batches.Read(epoch, number);
                sum += Step(batches);
            }

            if (!double.IsFinite(sum))
            {
                throw new NonFiniteException($"The loss of the alignment is {sum / batches.Count} in epoch {epoch}: lower the learning rate.");
            }

            var maps = Fold();
            epochs.Add(new AlignmentProgress(epoch, sum / batches.Count, trials?.Measure(maps.Enrolment, maps.Runtime)));
            progress?.Report(epochs[^1]);
            if (trials is null || epochs[^1].Frr < epochs[bestEpoch].Frr)
            {
                (best, bestEpoch) = (maps, epoch);
            }

            if (_spec.Patience > 0 && epoch - bestEpoch >= _spec.Patience)
            {
                break;
            }
        }

        return (best, bestEpoch, epochs);
    }

    private double Step(AlignmentBatches batches)
    {
        var workspace = _device.Workspace;
        workspace.Reset();
        _tape.Clear();
        Tensor x = workspace.Rent(new Shape(batches.Rows, _data.EnrolmentSize)), y = workspace.Rent(new Shape(batches.Rows, _data.RuntimeSize));
        x.CopyFrom(batches.Enrolment);
        y.CopyFrom(batches.Runtime);
        var loss = Loss(x, y);
        _parameters.ZeroGradients();
        _tape.Backward(loss);
        _optimizer.Step(_spec.LearningRate);
        Span<float> value = stackalloc float[1];
        loss.CopyTo(value);
        return value[0];
    }

    private Tensor Loss(Tensor x, Tensor y)
    {
        Tensor fx = _enrolment?.Forward(_tape, x, training: true) ?? x, fy = _runtime?.Forward(_tape, y, training: true) ?? y;

        // A mean over rows of squared distances is S times the mean over elements.
        float size = fx.Shape[1];
        _terms.Clear();
        _weights.Clear();
        if (_spec.Variant != AlignmentVariant.Shared)
        {
            Add(MeanSquared.Forward(_tape, _enrolment is null ? fy : fx, _enrolment is null ? x : y), size);
        }
        else
        {
            Add(CrossModelContrast.Forward(_tape, fx, fy, _spec.Vectors, _scale.Value), 1);
            if (_spec.Anchor != AlignmentAnchor.None && _spec.AnchorWeight > 0)
            {
                var anchor = _spec.Anchor == AlignmentAnchor.Enrolment ? x : y;
                Add(MeanSquared.Forward(_tape, fx, anchor), (float)_spec.AnchorWeight * size);
                Add(MeanSquared.Forward(_tape, fy, anchor), (float)_spec.AnchorWeight * size);
            }
        }

        AddOrthogonality(_enrolment, _enrolmentUnit);
        AddOrthogonality(_runtime, _runtimeUnit);
        return WeightedSum.Forward(_tape, CollectionsMarshal.AsSpan(_terms), CollectionsMarshal.AsSpan(_weights));
    }

    private void Add(Tensor loss, float weight)
    {
        _terms.Add(loss);
        _weights.Add(weight);
    }

    private void AddOrthogonality(AlignmentNetwork? network, Tensor? unit)
    {
        if (network is not null && unit is not null)
        {
            Add(MeanSquared.Forward(_tape, MatMul.Forward(_tape, network.Skip, network.Skip, transposeA: true), unit), (float)_spec.OrthogonalPenalty * unit.Count);
        }
    }

    private (AlignmentMap? Enrolment, AlignmentMap? Runtime) Fold() => (_enrolment?.Fold(), _runtime?.Fold());

    private void Start(int size)
    {
        if (_spec.Start == AlignmentStart.Random)
        {
            return;
        }

        bool rotates = _spec.Start == AlignmentStart.Procrustes, intoEnrolment = _enrolment is null || (_runtime is not null && _spec.Anchor == AlignmentAnchor.Enrolment);
        double[] rotation = rotates ? ClosedForms.Rotation(_data) : [];
        _enrolment?.StartFrom(rotates && !intoEnrolment ? ClosedForms.ToRuntime(rotation, _data) : Identity(size, _data.EnrolmentSize));
        _runtime?.StartFrom(rotates && intoEnrolment ? ClosedForms.ToEnrolment(rotation) : Identity(size, _data.RuntimeSize));
    }

    private Tensor Unit(int size)
    {
        var unit = _device.AllocatePersistent(new Shape(size, size));
        unit.CopyFrom(Identity(size, size));
        return unit;
    }

    private static float[] Identity(int rows, int columns)
    {
        var matrix = new float[rows * columns];
        for (int i = 0; i < Math.Min(rows, columns); i++)
        {
            matrix[(i * columns) + i] = 1;
        }

        return matrix;
    }
}
