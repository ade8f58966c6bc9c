using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Training.Optimization;

/// <summary>A state tensor of an optimiser, as it is named in a checkpoint.</summary>
/// <param name="Name">"adam.m", "adam.v" or "sgd.momentum"; those of the second and later parameter sets end in ".1", ".2" …</param>
/// <param name="Parameters">The set whose <see cref="ParameterSet.Values"/> it is laid out like.</param>
/// <param name="Value">The state, f32, as long as the values; write to it to restore.</param>
public sealed record OptimizerState(string Name, ParameterSet Parameters, Tensor Value);

/// <summary>
/// Updates parameter sets from their gradients, each in one pass over flat memory. Setting <see cref="StepCount"/> and the values of
/// <see cref="States"/> continues a run with the bits it would have had.
/// </summary>
public sealed class Optimizer
{
    private readonly ParameterSet[] _sets;
    private readonly OptimizerState[] _states;
    private readonly Run[][] _runs;
    private readonly int _statesPerSet;

    // Of every trained parameter, set by set, as last computed; null where nothing clips by them.
    private readonly double[][]? _normsOfEach;
    private long _stepCount;

    private Optimizer(OptimizerSpec spec, ParameterSet[] sets, Func<Parameter, double>? rateOf)
    {
        Spec = spec;
        _sets = sets;
        string[] names = spec.Kind switch
        {
            OptimizerKind.Adam => ["adam.m", "adam.v"],
            OptimizerKind.AdamW => ["adamw.m", "adamw.v"],
            _ => spec.Momentum > 0 ? ["sgd.momentum"] : [],
        };
        _statesPerSet = names.Length;
        _states = new OptimizerState[names.Length * sets.Length];
        _runs = new Run[sets.Length][];
        _normsOfEach = spec is { ClipNorm: not null, ClipScope: GradientClipScope.EachParameter } ? [.. sets.Select(s => new double[s.Trainable.Count])] : null;
        for (int i = 0; i < sets.Length; i++)
        {
            string suffix = i == 0 ? "" : $".{i}";
            for (int k = 0; k < names.Length; k++)
            {
                _states[(i * names.Length) + k] = new OptimizerState(names[k] + suffix, sets[i], sets[i].Device.AllocatePersistent(sets[i].Values.Shape));
            }

            _runs[i] = Runs(spec, sets[i], rateOf);
        }
    }

    /// <summary>The settings.</summary>
    public OptimizerSpec Spec { get; }

    /// <summary>State tensors for checkpoints; zeros before the first step.</summary>
    public IReadOnlyList<OptimizerState> States => _states;

    /// <summary>Steps done; set it, 0 or more, when restoring.</summary>
    public long StepCount
    {
        get => _stepCount;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _stepCount = value;
        }
    }

    /// <summary>Makes an optimiser with fresh state.</summary>
    /// <param name="spec">Its settings.</param>
    /// <param name="sets">Allocated parameter sets (encoder, head …), in a fixed order.</param>
    /// <returns>The optimiser; its state lives as long as the sets' devices.</returns>
    /// <exception cref="Spk.Interop.InvalidOptionException">A setting is out of range.</exception>
    /// <exception cref="InvalidOperationException">A set has not been allocated.</exception>
    public static Optimizer Create(OptimizerSpec spec, params ReadOnlySpan<ParameterSet> sets)
    {
        ArgumentNullException.ThrowIfNull(spec);
        spec.Validate();
        return new Optimizer(spec, sets.ToArray(), rateOf: null);
    }

    /// <summary>Makes an optimiser with fresh state whose parameters move at different rates.</summary>
    /// <param name="spec">Its settings.</param>
    /// <param name="set">An allocated parameter set.</param>
    /// <param name="rateOf">Factor on the learning rate of a parameter, 0 or more; one of 0 stays as it is, and its gradient counts as 0.</param>
    /// <returns>The optimiser; its state lives as long as the set's device.</returns>
    /// <exception cref="Spk.Interop.InvalidOptionException">A setting is out of range.</exception>
    /// <exception cref="InvalidOperationException">The set has not been allocated.</exception>
    public static Optimizer Create(OptimizerSpec spec, ParameterSet set, Func<Parameter, double> rateOf)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(rateOf);
        spec.Validate();
        return new Optimizer(spec, [set], rateOf);
    }

    /// <summary>The norm of all gradients before clipping. Those of parameters that stay as they are count as 0, and are set to it.</summary>
    /// <returns>0 or more; NaN or infinite where a gradient is.</returns>
    public double NormOfGradients()
    {
        ForgetFrozen();
        double squares = 0;
        for (int i = 0; i < _sets.Length; i++)
        {
            if (_normsOfEach is not null)
            {
                GradientNorm.ComputeEach(_sets[i], _normsOfEach[i]);
                squares += TensorPrimitives.SumOfSquares<double>(_normsOfEach[i]);
            }
            else
            {
                double norm = GradientNorm.Compute(_sets[i].Gradients);
                squares += norm * norm;
            }
        }

        return Math.Sqrt(squares);
    }

    /// <summary>Updates all values, by clipped gradients if the spec says so.</summary>
    /// <param name="learningRate">Rate of this step, 0 or more.</param>
    /// <param name="gradientNorm">What <see cref="NormOfGradients"/> gave, where it was asked for; null to have it computed if a clip needs it.</param>
    /// <param name="average">An average of all values, which follows them; null for none.</param>
    /// <exception cref="Spk.Interop.InvalidOptionException">The rate is negative or not finite.</exception>
    /// <exception cref="ShapeException">The average is not laid out like the values of the one set.</exception>
    public void Step(double learningRate, double? gradientNorm = null, MovingAverage? average = null)
    {
        if (average is { } given && (_sets.Length != 1 || given.Values.Count != _sets[0].Values.Count))
        {
            throw new ShapeException($"An average of {given.Values.Count} elements cannot follow {_sets.Length} parameter sets, the first of {_sets[0].Values.Count}.");
        }

        double factor = Clip(gradientNorm);
        _stepCount++;
        for (int i = 0; i < _sets.Length; i++)
        {
            foreach (var run in _runs[i])
            {
                MovingAverage? ofRun = average is { } follower ? follower with { Values = run.Of(follower.Values) } : null;
                if (run.Factor > 0)
                {
                    Step(i, run, learningRate * run.Factor, factor, ofRun);
                }
                else if (ofRun is { } alone)
                {
                    Ema.Step(alone.Values, run.Of(_sets[i].Values), alone.Momentum);
                }
            }
        }
    }

    private void ForgetFrozen()
    {
        for (int i = 0; i < _sets.Length; i++)
        {
            foreach (var run in _runs[i])
            {
                if (run.Factor == 0)
                {
                    _sets[i].Device.Zero(run.Of(_sets[i].Gradients));
                }
            }
        }
    }

    private void Step(int set, Run run, double learningRate, double gradientFactor, in MovingAverage? average)
    {
        var (values, gradients) = (run.Of(_sets[set].Values), run.Of(_sets[set].Gradients));
        int first = set * _statesPerSet;
        if (Spec.Kind == OptimizerKind.Sgd)
        {
            var settings = new SgdSettings
            {
                LearningRate = learningRate,
                Momentum = Spec.Momentum,
                WeightDecay = Spec.WeightDecay,
                Nesterov = Spec.Nesterov,
                GradientFactor = gradientFactor,
            };
            Sgd.Step(values, gradients, _statesPerSet == 0 ? null : run.Of(_states[first].Value), settings, run.Undecayed, average);
            return;
        }

        var adam = new AdamSettings
        {
            LearningRate = learningRate,
            Beta1 = Spec.Beta1,
            Beta2 = Spec.Beta2,
            Epsilon = Spec.Epsilon,
            WeightDecay = Spec.WeightDecay,
            GradientFactor = gradientFactor,
        };
        if (Spec.Kind == OptimizerKind.Adam)
        {
            Adam.Step(values, gradients, run.Of(_states[first].Value), run.Of(_states[first + 1].Value), _stepCount, adam, run.Undecayed, average);
        }
        else
        {
            AdamW.Step(values, gradients, run.Of(_states[first].Value), run.Of(_states[first + 1].Value), _stepCount, adam, run.Undecayed, average);
        }
    }

    // Scales the gradients, or gives the factor that the update multiplies them by.
    private double Clip(double? norm)
    {
        if (Spec.ClipNorm is not { } highest)
        {
            return 1;
        }

        double all = norm ?? NormOfGradients();
        if (_normsOfEach is null)
        {
            return GradientNorm.ClipFactor(all, highest);
        }

        for (int i = 0; i < _sets.Length; i++)
        {
            GradientNorm.ClipEach(_sets[i], _normsOfEach[i], highest);
        }

        return 1;
    }

    // Neighbours of one rate are updated together; with one rate for all that is the whole set.
    private static Run[] Runs(OptimizerSpec spec, ParameterSet set, Func<Parameter, double>? rateOf)
    {
        var runs = new List<(int Start, int End, double Factor)>();
        for (int i = 0; i < set.Trainable.Count; i++)
        {
            var parameter = set.Trainable[i];
            double factor = rateOf?.Invoke(parameter) ?? 1;
            int end = i + 1 < set.Trainable.Count ? set.OffsetOf(set.Trainable[i + 1]) : set.Values.Count;
            if (runs.Count > 0 && runs[^1].Factor == factor)
            {
                runs[^1] = runs[^1] with { End = end };
            }
            else
            {
                runs.Add((set.OffsetOf(parameter), end, factor));
            }
        }

        bool sparesVectors = spec.WeightDecay > 0 && !spec.DecayVectors;
        return [.. runs.Select(r => new Run(r.Start, r.End - r.Start, r.Factor, sparesVectors ? UndecayedRuns(set, r.Start, r.End) : null))];
    }

    private static Tensor? UndecayedRuns(ParameterSet set, int from, int to)
    {
        var runs = new List<int>();
        foreach (var parameter in set.Trainable)
        {
            int start = set.OffsetOf(parameter);
            if (parameter.Shape.Rank == 1 && start >= from && start < to)
            {
                runs.Add(start - from);
                runs.Add(start - from + parameter.Shape.Count);
            }
        }

        if (runs.Count == 0)
        {
            return null;
        }

        var tensor = set.Device.AllocatePersistent(new Shape(runs.Count), ElementType.Int32);
        tensor.CopyIntsFrom(CollectionsMarshal.AsSpan(runs));
        return tensor;
    }

    /// <summary>Parameters beside each other that move at one rate.</summary>
    private sealed record Run(int Start, int Count, double Factor, Tensor? Undecayed)
    {
        public Tensor Of(Tensor all) => Count == all.Count ? all : all.Slice(Start, Count);
    }
}
