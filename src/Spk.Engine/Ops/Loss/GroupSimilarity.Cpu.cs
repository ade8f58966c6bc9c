using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class GroupSimilarity
{
    private static void CpuForward(CpuDevice cpu, Tensor rows, int items, Tensor? groups, Tensor means, Tensor loss)
    {
        int count = rows.Shape[0];

        // Items of a group in a chain, the first of them in `first` at a slot of its number's hash.
        int slots = 2 * items;
        var chains = cpu.Workspace.Rent(new Shape(slots + items), ElementType.Int32);
        int* first = (int*)chains.Address;
        int* next = first + slots;
        var body = new ForwardBody
        {
            Rows = rows.Data,
            Means = means.Data,
            Products = CosineProblem.RentDoubles(cpu, count),
            Groups = groups is null ? null : (int*)groups.Address,
            First = first,
            Next = next,
            Slots = slots,
            Items = items,
            Count = count,
            Width = rows.Shape[1],
        };
        new Span<int>(first, slots).Fill(-1);
        for (int item = items - 1; item >= 0; item--)
        {
            int slot = body.Slot(body.Group(item));
            next[item] = first[slot];
            first[slot] = item;
        }

        cpu.Workers.For(count, ref body);
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += body.Products[i];
        }

        loss.Data[0] = (float)(sum / count);
    }

    private static void CpuBackward(CpuDevice cpu, Tensor means, Tensor lossGradient, Tensor gradient, bool accumulate)
    {
        var body = new BackwardBody
        {
            Means = means.Data,
            Gradient = gradient.Data,
            Stride = gradient.RowStride,
            Factor = 2 * lossGradient.Data[0] / means.Shape[0],
            Width = means.Shape[1],
            Accumulate = accumulate,
        };
        cpu.Workers.For(means.Shape[0], ref body);
    }

    private struct ForwardBody : IParallelBody
    {
        public float* Rows, Means;
        public double* Products;
        public int* Groups, First, Next;
        public int Slots, Items, Count, Width;

        // Fibonacci hashing: neighbouring numbers go to slots far apart. Chains may hold several groups; the number decides.
        public readonly int Slot(int group) => (int)(((ulong)(uint)group * 0x9E3779B97F4A7C15UL >> 32) * (ulong)Slots >> 32);

        public readonly int Group(int item) => Groups == null ? item : Groups[item];

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int group = Group(index % Items), others = 0;
            var mean = Row(Means, index);
            mean.Clear();
            for (int item = First[Slot(group)]; item >= 0; item = Next[item])
            {
                for (int row = item; Group(item) == group && row < Count; row += Items)
                {
                    if (row != index)
                    {
                        TensorPrimitives.Add(mean, Row(Rows, row), mean);
                        others++;
                    }
                }
            }

            if (others > 0)
            {
                TensorPrimitives.Divide(mean, others, mean);
            }

            Products[index] = TensorPrimitives.Dot<float>(Row(Rows, index), mean);
        }

        private readonly Span<float> Row(float* of, int row) => new(of + ((nint)row * Width), Width);
    }

    private struct BackwardBody : IParallelBody
    {
        public float* Means, Gradient;
        public nint Stride;
        public float Factor;
        public int Width;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            var mean = new ReadOnlySpan<float>(Means + ((nint)index * Width), Width);
            var to = new Span<float>(Gradient + (index * Stride), Width);
            if (Accumulate)
            {
                TensorPrimitives.MultiplyAdd(mean, Factor, to, to);
            }
            else
            {
                TensorPrimitives.Multiply(mean, Factor, to);
            }
        }
    }
}
