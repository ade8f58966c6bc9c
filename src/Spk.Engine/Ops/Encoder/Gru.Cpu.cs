using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Gru
{
    // A task takes some units of all items through one frame: their rows of the weight are read once and used for all items.
    private const int UnitsEach = 16;

    private static void CpuForward(CpuDevice cpu, Tensor gates, Tensor weight, Tensor bias, Tensor first, Tensor candidates, Tensor y)
    {
        var body = new StepBody
        {
            Gates = gates.Data,
            Candidates = candidates.Data,
            Weight = weight.Data,
            Bias = bias.Data,
            First = first.Data,
            Y = y.Data,
            Items = y.Shape[0],
            Frames = y.Shape[1],
            Units = y.Shape[2],
        };
        for (int frame = 0; frame < body.Frames; frame++)
        {
            body.Frame = frame;
            cpu.Workers.For((body.Units + UnitsEach - 1) / UnitsEach, ref body);
        }
    }

    private static void CpuBackward(CpuDevice cpu, Node node, Tensor dy, Tensor inputGradient)
    {
        var (gates, weight, y) = (node.Gates, node.Weight, node.Y);
        int rows = weight.Shape[0], units = weight.Shape[1];
        var carry = cpu.Workspace.Rent(new Shape(y.Shape[0], units));
        var columns = cpu.Workspace.Rent(new Shape(1, units, rows));
        cpu.Zero(carry);
        Transpose.CpuRun(cpu, cpu.Workspace.Reshape(weight, new Shape(1, rows, units)), columns, accumulate: false);
        var body = new StepBackwardBody
        {
            Gates = gates.Data,
            InputGradient = inputGradient.Data,
            Candidates = node.Candidates.Data,
            Columns = columns.Data,
            First = node.First.Data,
            Y = y.Data,
            Dy = dy.Data,
            Carry = carry.Data,
            Items = y.Shape[0],
            Frames = y.Shape[1],
            Units = units,
        };
        int last = node.First.RequiresGrad ? -1 : 0;
        for (int frame = body.Frames - 1; frame >= last; frame--)
        {
            body.Frame = frame;
            cpu.Workers.For((units + UnitsEach - 1) / UnitsEach, ref body);
        }

        Add.Pass(node.First, carry);
        if (weight.RequiresGrad)
        {
            var gradient = weight.GradForWrite(out bool adds);
            Gemm.Multiply(cpu, Rows(gates).Transposed, Earlier(y), gradient.Data, gradient.RowStride, adds);
            if (!node.StartsFromZero)
            {
                Gemm.Multiply(cpu, Frame(gates, 0).Transposed, Rows(node.First), gradient.Data, gradient.RowStride, accumulate: true);
            }
        }

        if (node.Bias.RequiresGrad)
        {
            ColumnSum.Run(cpu, gates, node.Bias.GradForWrite(out bool adds).Data, adds);
        }
    }

    /// <summary>One frame: the recurrent part, the gates, the state.</summary>
    private struct StepBody : IParallelBody
    {
        public float* Gates, Candidates, Weight, Bias, First, Y;
        public int Items, Frames, Units, Frame;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int first = index * UnitsEach, count = Math.Min(UnitsEach, Units - first);
            float* sums = stackalloc float[GruProducts.Items * GateCount * UnitsEach];
            float* products = stackalloc float[GruProducts.Count];
            nint stride = Frame == 0 ? Units : (nint)Frames * Units;
            float* states = Frame == 0 ? First : Y + ((nint)(Frame - 1) * Units);
            for (int item = 0; item < Items; item += GruProducts.Items)
            {
                int items = Math.Min(GruProducts.Items, Items - item);
                float* state = states + (item * stride);
                for (int unit = 0; unit < count; unit++)
                {
                    float* weight = Weight + ((nint)(first + unit) * Units);
                    GruProducts.Run(weight, (nint)Units * Units, GateCount, state, stride, items, Units, products);
                    for (int gate = 0; gate < GateCount; gate++)
                    {
                        float bias = Bias[(gate * Units) + first + unit];
                        for (int i = 0; i < items; i++)
                        {
                            sums[(((i * GateCount) + gate) * UnitsEach) + unit] = bias + products[(gate * GruProducts.Items) + i];
                        }
                    }
                }

                for (int i = 0; i < items; i++)
                {
                    Finish(item + i, first, count, sums + (i * GateCount * UnitsEach), state + (i * stride) + first);
                }
            }
        }

        private readonly void Finish(int item, int first, int count, float* sums, float* state)
        {
            nint row = ((nint)item * Frames) + Frame;
            float* gates = Gates + (row * GateCount * Units) + first;
            var reset = new Span<float>(gates, count);
            var update = new Span<float>(gates + Units, count);
            var fresh = new Span<float>(gates + (2 * Units), count);
            var candidate = new Span<float>(Candidates + (row * Units) + first, count);
            var y = new Span<float>(Y + (row * Units) + first, count);
            TensorPrimitives.Add(reset, new ReadOnlySpan<float>(sums, count), reset);
            TensorPrimitives.Sigmoid(reset, reset);
            TensorPrimitives.Add(update, new ReadOnlySpan<float>(sums + UnitsEach, count), update);
            TensorPrimitives.Sigmoid(update, update);
            new ReadOnlySpan<float>(sums + (2 * UnitsEach), count).CopyTo(candidate);
            TensorPrimitives.MultiplyAdd(reset, candidate, fresh, fresh);
            TensorPrimitives.Tanh(fresh, fresh);
            TensorPrimitives.Subtract(new ReadOnlySpan<float>(state, count), fresh, y);
            TensorPrimitives.MultiplyAdd(y, update, fresh, y);
        }
    }

    /// <summary>One frame back: what the frame after it hands down, then the derivatives of the gates. Frame −1 is the first state.</summary>
    private struct StepBackwardBody : IParallelBody
    {
        public float* Gates, InputGradient, Candidates, Columns, First, Y, Dy, Carry;
        public int Items, Frames, Units, Frame;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int first = index * UnitsEach, end = Math.Min(first + UnitsEach, Units), rows = GateCount * Units;
            if (Frame < Frames - 1)
            {
                HandDown(first, end, rows);
            }

            if (Frame < 0)
            {
                return;
            }

            for (int item = 0; item < Items; item++)
            {
                nint row = ((nint)item * Frames) + Frame;
                float* state = Frame == 0 ? First + ((nint)item * Units) : Y + ((row - 1) * Units);
                float* gates = Gates + (row * rows);
                float* inputs = InputGradient + (row * rows);
                float* carry = Carry + ((nint)item * Units);
                for (int unit = first; unit < end; unit++)
                {
                    float r = gates[unit], z = gates[Units + unit], n = gates[(2 * Units) + unit];
                    float dh = Dy[(row * Units) + unit] + carry[unit];
                    float dn = dh * (1f - z) * (1f - (n * n));
                    float dz = dh * (state[unit] - n) * z * (1f - z);
                    float dr = dn * Candidates[(row * Units) + unit] * r * (1f - r);
                    inputs[unit] = gates[unit] = dr;
                    inputs[Units + unit] = gates[Units + unit] = dz;
                    inputs[(2 * Units) + unit] = dn;
                    gates[(2 * Units) + unit] = dn * r;
                    carry[unit] = dh * z;
                }
            }
        }

        // carry += g · W_h with the g of the frame after this one.
        private readonly void HandDown(int first, int end, int rows)
        {
            float* products = stackalloc float[GruProducts.Count];
            nint stride = (nint)Frames * rows;
            for (int item = 0; item < Items; item += GruProducts.Items)
            {
                int items = Math.Min(GruProducts.Items, Items - item);
                float* gradient = Gates + (item * stride) + ((nint)(Frame + 1) * rows);
                for (int unit = first; unit < end; unit += GruProducts.Rows)
                {
                    int units = Math.Min(GruProducts.Rows, end - unit);
                    GruProducts.Run(Columns + ((nint)unit * rows), rows, units, gradient, stride, items, rows, products);
                    for (int u = 0; u < units; u++)
                    {
                        for (int i = 0; i < items; i++)
                        {
                            Carry[((nint)(item + i) * Units) + unit + u] += products[(u * GruProducts.Items) + i];
                        }
                    }
                }
            }
        }
    }
}
