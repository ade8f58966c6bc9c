using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

public static unsafe partial class Divergence
{
    private static void CpuForward(CpuDevice cpu, in Pair pair, Tensor loss)
    {
        int rows = pair.Logits.Shape[0], targets = pair.Targets.Shape[0];
        for (int row = 0; pair.Second is not null && row < rows; row++)
        {
            if ((uint)pair.Second.IntData[row] >= (uint)targets)
            {
                throw new ShapeException($"The second target of row {row} is row {pair.Second.IntData[row]}, not one of the {targets} target rows.");
            }
        }

        var losses = CosineProblem.RentDoubles(cpu, rows);
        var body = new ForwardBody { Rows = new Rows(pair), Losses = losses };
        cpu.Workers.For(rows, ref body);
        double sum = 0;
        for (int row = 0; row < rows; row++)
        {
            sum += losses[row];
        }

        loss.Data[0] = (float)(sum / rows);
    }

    private static void CpuBackward(CpuDevice cpu, in Pair pair, Tensor lossGradient, Tensor gradient, bool accumulate)
    {
        int rows = pair.Logits.Shape[0];
        var body = new BackwardBody
        {
            Rows = new Rows(pair),
            Factor = lossGradient.Data[0] / rows,
            Gradient = gradient.Data,
            Stride = gradient.RowStride,
            Accumulate = accumulate,
        };
        cpu.Workers.For(rows, ref body);
    }

    private readonly struct Rows(Pair pair)
    {
        public readonly int Classes = pair.Logits.Shape[1];
        private readonly float* _logits = pair.Logits.Data, _targets = pair.Targets.Data, _saved = pair.Saved.Data;
        private readonly float* _weights = pair.Weights == null ? null : pair.Weights.Data;
        private readonly int* _second = pair.Second == null ? null : pair.Second.IntData;
        private readonly nint _stride = pair.Logits.RowStride, _targetStride = pair.Targets.RowStride;
        private readonly int _targetRows = pair.Targets.Shape[0];

        public float* Logits(int row) => _logits + (row * _stride);

        public float* Saved(int row) => _saved + ((nint)row * SavedSize);

        public Target Target(int row)
        {
            float* own = _targets + (row % _targetRows * _targetStride);
            return _second == null || _weights[row] == 1 ? new Target(own) : new Target(own, _targets + (_second[row] * _targetStride), _weights[row]);
        }
    }

    // The distribution that a row is compared with.
    private struct Target
    {
        private readonly float* _first, _second;
        private readonly float _weight;
        private LogSoftmax _firstSoftmax, _secondSoftmax;

        public Target(float* logits)
        {
            _first = logits;
            _weight = 1;
        }

        public Target(float* first, float* second, float weight)
        {
            _first = first;
            _second = second;
            _weight = weight;
        }

        public void Measure(int classes, float* saved)
        {
            _firstSoftmax = LogSoftmax.Of(_first, classes);
            _firstSoftmax.Store(saved);
            if (_second != null)
            {
                _secondSoftmax = LogSoftmax.Of(_second, classes);
                _secondSoftmax.Store(saved + LogSoftmax.Size);
            }
        }

        public void Load(float* saved)
        {
            _firstSoftmax = LogSoftmax.Load(saved);
            if (_second != null)
            {
                _secondSoftmax = LogSoftmax.Load(saved + LogSoftmax.Size);
            }
        }

        // Probabilities and their logarithms; classes that are missing have probability 0.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Vector512<float> At(int start, int left, out Vector512<float> log)
        {
            log = _firstSoftmax.Log(ClassLanes.Load(_first + start, left, float.MinValue / 4));
            var value = Vector512.Exp(log);
            if (_second == null)
            {
                return value;
            }

            var other = Vector512.Exp(_secondSoftmax.Log(ClassLanes.Load(_second + start, left, float.MinValue / 4)));
            value = (value * Vector512.Create(_weight)) + (other * Vector512.Create(1 - _weight));
            log = Vector512.Log(Vector512.Max(value, Vector512.Create(SmallestProbability)));
            return value;
        }
    }

    // A mixture that has underflowed counts as this, so that its logarithm times a probability of 0 is 0.
    private const float SmallestProbability = 1e-37f;

    private struct ForwardBody : IParallelBody
    {
        public Rows Rows;
        public double* Losses;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int classes = Rows.Classes;
            float* logits = Rows.Logits(index);
            float* saved = Rows.Saved(index);
            var own = LogSoftmax.Of(logits, classes);
            own.Store(saved);
            var target = Rows.Target(index);
            target.Measure(classes, saved + LogSoftmax.Size);
            var sums = Vector512<double>.Zero;
            for (int i = 0; i < classes; i += ClassLanes.Count)
            {
                var probability = target.At(i, classes - i, out var log);
                sums = ClassLanes.Add(sums, probability * (log - own.Log(ClassLanes.Load(logits + i, classes - i))));
            }

            Losses[index] = Vector512.Sum(sums);
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public Rows Rows;
        public float Factor;
        public float* Gradient;
        public nint Stride;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int classes = Rows.Classes;
            float* logits = Rows.Logits(index);
            float* to = Gradient + (index * Stride);
            var own = LogSoftmax.Load(Rows.Saved(index));
            var target = Rows.Target(index);
            target.Load(Rows.Saved(index) + LogSoftmax.Size);
            var factor = Vector512.Create(Factor);
            for (int i = 0; i < classes; i += ClassLanes.Count)
            {
                int left = classes - i;
                var probability = Vector512.Exp(own.Log(ClassLanes.Load(logits + i, left)));
                ClassLanes.Store(factor * (probability - target.At(i, left, out _)), to + i, left, Accumulate);
            }
        }
    }
}
