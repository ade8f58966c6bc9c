using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Perturb
{
    private const int RowsPerTask = 16;

    private static void CpuForward(CpuDevice cpu, Tensor x, Tensor directions, float distance, Tensor? radii, Tensor y)
    {
        var body = new Body
        {
            X = x.Data,
            Directions = directions.Data,
            Radii = radii is null ? null : radii.Data,
            Y = y.Data,
            Rows = x.Shape[0],
            Width = x.Shape[1],
            Distance = distance,
        };
        cpu.Workers.For((body.Rows + RowsPerTask - 1) / RowsPerTask, ref body);
    }

    private struct Body : IParallelBody
    {
        public float* X, Directions, Radii, Y;
        public int Rows, Width;
        public float Distance;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min((index + 1) * RowsPerTask, Rows);
            for (int row = index * RowsPerTask; row < end; row++)
            {
                nint at = (nint)row * Width;
                var direction = new ReadOnlySpan<float>(Directions + at, Width);

                // Gradients of confident predictions are tiny: the largest element goes first, so that no square underflows.
                float largest = TensorPrimitives.MaxMagnitude(direction);
                float scale = 0;
                if (!(Math.Abs(largest) < SmallestLength))
                {
                    double squares = 0;
                    foreach (float value in direction)
                    {
                        double part = value / (double)largest;
                        squares += part * part;
                    }

                    scale = (float)(Distance * (Radii == null ? 1 : Radii[row]) / (Math.Abs((double)largest) * Math.Sqrt(squares)));
                }

                TensorPrimitives.MultiplyAdd(direction, scale, new ReadOnlySpan<float>(X + at, Width), new Span<float>(Y + at, Width));
            }
        }
    }
}
