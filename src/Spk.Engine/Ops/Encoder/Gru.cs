using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>The trained parts of one layer of C inputs and H units. Gates lie in PyTorch's order: reset, update, new.</summary>
/// <param name="InputWeight">[3H, C].</param>
/// <param name="HiddenWeight">[3H, H].</param>
/// <param name="InputBias">[3H].</param>
/// <param name="HiddenBias">[3H].</param>
public sealed record GruParameters(Parameter InputWeight, Parameter HiddenWeight, Parameter InputBias, Parameter HiddenBias);

/// <summary>One layer of gated recurrent units over time (Cho et al., arXiv:1406.1078; the form of cuDNN and PyTorch).</summary>
/// <remarks>
/// r = σ(W_ir·x + b_ir + W_hr·h + b_hr), z = σ(W_iz·x + b_iz + W_hz·h + b_hz), n = tanh(W_in·x + b_in + r ⊙ (W_hn·h + b_hn)),
/// h' = (1 − z) ⊙ n + z ⊙ h. The inputs' part of all frames is one product, and so are all gradients of weights; only W_h·h, forward,
/// and its transpose, backward, are taken frame by frame.
/// </remarks>
public static partial class Gru
{
    private const int GateCount = 3;

    /// <summary>Runs the layer over all frames.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [N, T, C], T >= 1; rows may be strided (channel views).</param>
    /// <param name="parameters">The trained parts.</param>
    /// <param name="initial">h before the first frame, f32 [N, H] contiguous; null for zeros.</param>
    /// <returns>h after every frame, f32 [N, T, H].</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, GruParameters parameters, Tensor? initial = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(parameters);
        Check(x, parameters, initial);
        var gates = Linear.Forward(tape, x, parameters.InputWeight.Value, parameters.InputBias.Value);
        return Recur(tape, gates, parameters.HiddenWeight.Value, parameters.HiddenBias.Value, initial);
    }

    private static void Check(Tensor x, GruParameters parameters, Tensor? initial)
    {
        if (x.Shape.Rank != 3 || x.Shape[0] < 1 || x.Shape[1] < 1)
        {
            throw new ShapeException($"A GRU needs x [N, T, C] with at least one frame, not shape {x.Shape}.");
        }

        var (input, hidden) = (parameters.InputWeight.Shape, parameters.HiddenWeight.Shape);
        int units = hidden.Last, rows = GateCount * units;
        if (hidden != new Shape(rows, units) || input != new Shape(rows, x.Shape[2])
            || parameters.InputBias.Shape != new Shape(rows) || parameters.HiddenBias.Shape != new Shape(rows))
        {
            throw new ShapeException(
                $"A GRU over {x.Shape[2]} channels needs weights [3H, {x.Shape[2]}] and [3H, H] and biases [3H]; "
                + $"given {input}, {hidden}, {parameters.InputBias.Shape} and {parameters.HiddenBias.Shape}.");
        }

        if (initial is not null && (initial.Shape.Rows != x.Shape[0] || initial.Shape.Last != units || !initial.IsContiguous))
        {
            throw new ShapeException($"A GRU of {units} units needs a contiguous first state [{x.Shape[0]}, {units}], not {initial.Shape}.");
        }
    }

    // The gates hold the inputs' part, and then their own values, which the backward pass reads; `candidates` keeps W_hn·h + b_hn.
    private static Tensor Recur(Tape? tape, Tensor gates, Tensor weight, Tensor bias, Tensor? initial)
    {
        var device = gates.Device;
        var shape = new Shape(gates.Shape[0], gates.Shape[1], weight.Shape[1]);
        var y = device.Workspace.Rent(shape);
        var candidates = device.Workspace.Rent(shape);
        var first = initial;
        if (first is null)
        {
            first = device.Workspace.Rent(new Shape(shape[0], shape[2]));
            device.Zero(first);
        }

        if (device is CudaDevice cuda)
        {
            CudaForward(cuda, gates, weight, bias, first, candidates, y);
        }
        else
        {
            CpuForward(Cpu.Of(device), gates, weight, bias, first, candidates, y);
        }

        if (tape is not null && (gates.RequiresGrad || weight.RequiresGrad || bias.RequiresGrad || initial is { RequiresGrad: true }))
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Gates, node.Candidates, node.Weight, node.Bias) = (gates, candidates, weight, bias);
            (node.First, node.StartsFromZero, node.Y) = (first, initial is null, y);
        }

        return y;
    }

    /// <summary>
    /// From the last frame to the first, with dh the gradient of a frame's state: dn = dh (1 − z)(1 − n²), dz = dh (h − n) z (1 − z),
    /// dr = dn c r (1 − r) with c = W_hn·h + b_hn. (dr, dz, dn) is the gradient of the inputs' part and g = (dr, dz, dn ⊙ r) that of the
    /// recurrent part; the state before gets dh ⊙ z + W_hᵀ·g.
    /// </summary>
    private sealed class Node : TapeNode
    {
        public Tensor Gates = null!, Candidates = null!, Weight = null!, Bias = null!, First = null!, Y = null!;
        public bool StartsFromZero;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            // The gates are this op's own: no gradient has reached them, and g takes the place of their values.
            var inputGradient = Gates.GradForWrite(out _);
            if (Y.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, this, dy, inputGradient);
            }
            else
            {
                CpuBackward(Cpu.Of(Y.Device), this, dy, inputGradient);
            }
        }
    }
}
