using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// Batch normalisation over all rows, per channel (Ioffe and Szegedy, arXiv:1502.03167), with an optional activation applied
/// to its input: the block order of TDNN and ECAPA is convolution, activation, normalisation.
/// </summary>
/// <remarks>
/// Training: y = γ·(a − μ)/√(σ² + eps) + β with a = activation(x), μ and the biased σ² over the rows; running statistics move
/// by <c>momentum</c>, the variance unbiased. Where processes train together (<see cref="Device.Collective"/>), the rows are those of all of them,
/// as many in each. Evaluation: the running statistics. The activated tensor is never stored: it is
/// computed again from x where it is needed.
/// </remarks>
public static partial class BatchNorm
{
    /// <summary>Normalises every channel.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Activations, f32 [..., C]; a channel view is fine.</param>
    /// <param name="gamma">Scale [C], or null for 1.</param>
    /// <param name="beta">Offset [C], or null for 0.</param>
    /// <param name="runningMean">Buffer [C]; updated in training.</param>
    /// <param name="runningVariance">Buffer [C]; updated in training.</param>
    /// <param name="training">True to use and record the statistics of this batch; frozen running statistics are used as they are.</param>
    /// <param name="momentum">Weight of this batch in the running statistics, 0 to 1.</param>
    /// <param name="eps">Added to the variance, above 0.</param>
    /// <param name="output">Where to write, of x's shape (may be a channel view); null for a new tensor.</param>
    /// <param name="before">Activation of x ahead of the statistics: none, ReLU or leaky ReLU.</param>
    /// <param name="slope">Slope of leaky ReLU below 0.</param>
    /// <param name="epilogue">
    /// What <see cref="Prepare"/> filled with these arguments and the map that made x then worked on, used up here; null where x is measured here.
    /// </param>
    /// <param name="addTo">
    /// A tensor of x's shape that the result is added to in the same pass (may be a channel view, and must overlap neither x nor the output), such as the
    /// next group of a Res2 layer; null for none. As with <see cref="Add.Forward"/> in place, it is then the sum for every op recorded later.
    /// </param>
    /// <returns>The normalised activations, of x's shape.</returns>
    /// <exception cref="ShapeException">A parameter, the output or what is added to does not fit x, or there is a single row in training.</exception>
    /// <exception cref="InvalidOptionException">
    /// The activation cannot be fused; or the epilogue was not prepared since its last use, or prepared for another tape, training or activation; or it is
    /// to be done by the map and x is not what the map made, or the output is elsewhere.
    /// </exception>
    public static Tensor Forward(
        Tape? tape,
        Tensor x,
        Parameter? gamma,
        Parameter? beta,
        Parameter runningMean,
        Parameter runningVariance,
        bool training,
        float momentum = 0.1f,
        float eps = 1e-5f,
        Tensor? output = null,
        ActivationKind? before = null,
        float slope = 0.01f,
        BatchNormEpilogue? epilogue = null,
        Tensor? addTo = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(runningMean);
        ArgumentNullException.ThrowIfNull(runningVariance);
        training &= !runningMean.IsFrozen;
        int channels = x.Shape.Last;
        CheckLength(gamma, channels);
        CheckLength(beta, channels);
        CheckLength(runningMean, channels);
        CheckLength(runningVariance, channels);
        if (training && x.Shape.Rows * x.Device.Collective.Ranks < 2)
        {
            throw new ShapeException($"Batch norm in training needs at least 2 rows for a variance, not shape {x.Shape}: use a larger batch.");
        }

        if (output is not null && output.Shape != x.Shape)
        {
            throw new ShapeException($"Batch norm of {x.Shape} cannot write into an output of shape {output.Shape}.");
        }

        if (addTo is not null && addTo.Shape != x.Shape)
        {
            throw new ShapeException($"Batch norm of {x.Shape} cannot be added to a tensor of shape {addTo.Shape}.");
        }

        float negativeSlope = SlopeOf(before, slope);
        epilogue?.CheckEnd(tape, x, training, negativeSlope, output);
        if (epilogue is { Normalizes: true })
        {
            epilogue.UseUp(x.Device is CudaDevice normalised ? CudaTimeMeans(normalised, epilogue, x, null, null, null) : null);
            return addTo is null ? x : AddedTo(addTo, x);
        }

        var y = output ?? x.Device.Workspace.Rent(x.Shape);
        var statistics = x.Device.Workspace.Rent(new Shape(StatisticsRows, channels));
        Tensor? timeMeans = null;
        if (x.Device is CudaDevice cuda)
        {
            var measured = epilogue?.HasMeasured(x, negativeSlope) == true ? epilogue : null;
            CudaForward(
                cuda, x, y, statistics, gamma?.Value, beta?.Value, runningMean.Value, runningVariance.Value, training, momentum, eps, negativeSlope, measured,
                addTo);
            timeMeans = measured is null ? null : CudaTimeMeans(cuda, measured, x, statistics, gamma?.Value, beta?.Value);
        }
        else
        {
            CpuForward(
                Cpu.Of(x.Device), x, y, statistics, gamma?.Value, beta?.Value, runningMean.Value, runningVariance.Value, training, momentum, eps, negativeSlope,
                addTo);
        }

        bool sums = epilogue?.WantsRunSums(x) == true;
        epilogue?.UseUp(timeMeans);
        y.WantedSums = null;
        if (tape is not null && (x.RequiresGrad || gamma is not null || beta is not null))
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            node.X = x;
            node.Y = y;
            node.Gamma = gamma?.Value;
            node.Beta = beta?.Value;
            node.Statistics = statistics;
            node.Slope = negativeSlope;
            node.Training = training;
            node.SumsGradient = sums;
            node.AddTo = addTo;
            addTo?.RequiresGrad = true;
            if (x.Device is CudaDevice && !y.IsView)
            {
                node.Wanted.Set(x, y, statistics, negativeSlope);
                y.WantedSums = node.Wanted;
            }
        }

        return y;
    }

    /// <summary>
    /// Tells the linear map or convolution ahead of the norm what to do for it. In inference (no tape, no training) that is all of the norm;
    /// in training it is the statistics of its result, as far as it can have them. With a tape, but without training or with frozen running statistics,
    /// it is nothing: the backward step needs the map's own result, and nobody the statistics of this batch.
    /// </summary>
    /// <param name="epilogue">Filled here, before every use; then an argument of the map, then of <see cref="Forward"/>.</param>
    /// <param name="tape">As for <see cref="Forward"/>, and for the map.</param>
    /// <param name="gamma">As for <see cref="Forward"/>.</param>
    /// <param name="beta">As for <see cref="Forward"/>.</param>
    /// <param name="runningMean">As for <see cref="Forward"/>.</param>
    /// <param name="runningVariance">As for <see cref="Forward"/>.</param>
    /// <param name="training">As for <see cref="Forward"/>.</param>
    /// <param name="eps">As for <see cref="Forward"/>.</param>
    /// <param name="before">As for <see cref="Forward"/>.</param>
    /// <param name="slope">As for <see cref="Forward"/>.</param>
    /// <exception cref="ShapeException">In inference: a parameter does not fit the running mean.</exception>
    /// <exception cref="InvalidOptionException">The activation cannot be fused.</exception>
    public static void Prepare(
        BatchNormEpilogue epilogue,
        Tape? tape,
        Parameter? gamma,
        Parameter? beta,
        Parameter runningMean,
        Parameter runningVariance,
        bool training,
        float eps = 1e-5f,
        ActivationKind? before = null,
        float slope = 0.01f)
    {
        ArgumentNullException.ThrowIfNull(epilogue);
        ArgumentNullException.ThrowIfNull(runningMean);
        ArgumentNullException.ThrowIfNull(runningVariance);
        float negativeSlope = SlopeOf(before, slope);
        if (training && !runningMean.IsFrozen)
        {
            epilogue.Measure(negativeSlope);
            return;
        }

        if (tape is not null)
        {
            epilogue.Leave();
            return;
        }

        int channels = runningMean.Value.Count;
        CheckLength(gamma, channels);
        CheckLength(beta, channels);
        CheckLength(runningVariance, channels);
        var device = runningMean.Value.Device;
        var scale = device.Workspace.Rent(new Shape(channels));
        if (device is CudaDevice cuda)
        {
            CudaScale(cuda, runningVariance.Value, gamma?.Value, eps, scale);
        }
        else
        {
            CpuScale(runningVariance.Value, gamma?.Value, eps, scale);
        }

        epilogue.Normalize(negativeSlope, runningMean.Value, scale, beta?.Value);
    }

    // Where the map has written the result already.
    private static Tensor AddedTo(Tensor sum, Tensor y)
    {
        Add.Forward(null, sum, y, output: sum);
        return y;
    }

    // Identity, ReLU and leaky ReLU are one formula: x above 0, slope·x elsewhere.
    private static float SlopeOf(ActivationKind? before, float slope) => before switch
    {
        null => 1f,
        ActivationKind.Relu => 0f,
        ActivationKind.LeakyRelu => slope,
        _ => throw new InvalidOptionException($"Batch norm cannot apply {before} to its input: use Activation.Forward before it."),
    };

    private static void CheckLength(Parameter? parameter, int channels)
    {
        if (parameter is not null && parameter.Shape != new Shape(channels))
        {
            throw new ShapeException($"{parameter.Name} has shape {parameter.Shape} where batch norm over {channels} channels needs [{channels}].");
        }
    }

    private sealed class Node : TapeNode
    {
        public readonly NormGradientSums Wanted = new();
        public Tensor X = null!, Y = null!, Statistics = null!;
        public Tensor? Gamma, Beta, AddTo;
        public float Slope;
        public bool Training, SumsGradient;

        public override void Backward()
        {
            // The gradient of the sum is added to that of the result while both are read.
            var more = AddTo?.Grad;
            if (more is not null && Y.Grad is null)
            {
                Add.Pass(Y, more);
                more = null;
            }

            if (Y.Grad is not { } dy)
            {
                return;
            }

            if (more is not null)
            {
                dy = Y.GradForWrite(out _);
            }

            // First of all: they are forgotten where dx takes the memory.
            var wanted = ReferenceEquals(Y.WantedSums, Wanted) ? dy.RunSums : null;
            Tensor? dx = null;
            bool accumulate = false;
            if (X.RequiresGrad)
            {
                // This op is the last reader of dy, so dx may take its memory: a pass over new memory costs a third more.
                dx = X.TakeGradient(dy) ? dy : X.GradForWrite(out accumulate);
            }

            // What is added to others' gradients is not all that the map will see.
            var sums = SumsGradient && dx is not null && !accumulate ? X.Device.Workspace.Rent(new Shape(Runs(X.Shape.Rows), X.Shape.Last)) : null;
            if (X.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, this, dy, more, wanted, dx, accumulate, sums);
            }
            else
            {
                CpuBackward(Cpu.Of(X.Device), this, dy, more, dx, accumulate, sums);
            }

            dx?.RunSums = sums;
        }
    }
}
