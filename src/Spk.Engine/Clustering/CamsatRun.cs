using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>The training of one network: epochs, optimiser, labels.</summary>
internal sealed class CamsatRun
{
    private readonly Device _device;
    private readonly CamsatOptions _options;
    private readonly CancellationToken _cancellation;
    private readonly CamsatNetwork _network;
    private readonly CamsatLoss _loss;
    private readonly CamsatLabeller _labeller;
    private readonly Tensor _mean, _meanSquare, _index;
    private readonly WorkspacePosition _mark;
    private readonly Tape _tape = new();
    private readonly int[] _order, _labels, _histogram;
    private readonly float[] _confidences;
    private readonly int _batch, _steps, _dimension;
    private CamsatTerms _sums;
    private long _step;

    public CamsatRun(Device device, CamsatData data, int dimension, CamsatOptions options, CancellationToken cancellation)
    {
        (_device, _options, _dimension, _cancellation) = (device, options, dimension, cancellation);
        var parameters = new ParameterSet(device);
        _network = new CamsatNetwork(parameters, dimension, options);
        parameters.Rent(options.Seed);
        _batch = Math.Min(options.BatchSize, data.Count);
        _steps = data.Count / _batch;
        _order = new int[data.Count];
        (_labels, _confidences, _histogram) = (new int[data.Count], new float[data.Count], new int[options.Clusters]);
        var workspace = device.Workspace;
        (_mean, _meanSquare) = (workspace.Rent(parameters.Values.Shape), workspace.Rent(parameters.Values.Shape));
        device.Zero(_mean);
        device.Zero(_meanSquare);
        _index = workspace.Rent(new Shape(_batch), ElementType.Int32);
        _loss = new CamsatLoss(_network, data, options, _batch);
        _labeller = new CamsatLabeller(_network, data.Rows, options.BatchSize);
        _mark = workspace.Position;
    }

    /// <summary>One pass over the rows in random order; the rows of an incomplete last batch wait for the next epoch.</summary>
    public void Train(int epoch)
    {
        for (int i = 0; i < _order.Length; i++)
        {
            _order[i] = i;
        }

        new CounterRandom(_options.Seed, RandomPurpose.Shuffle, epoch).Shuffle(_order);
        _sums = default;
        for (int i = 0; i < _steps; i++)
        {
            _cancellation.ThrowIfCancellationRequested();
            Step(_order.AsSpan(i * _batch, _batch));
        }
    }

    /// <summary>Gives all rows to clusters by the running statistics.</summary>
    public void Label() => _labeller.Run(_labels, _confidences, _cancellation);

    public CamsatEpoch Describe(int epoch, int[]? truth, TimeSpan elapsed)
    {
        Array.Clear(_histogram);
        foreach (int label in _labels)
        {
            _histogram[label]++;
        }

        int clusters = 0;
        double entropy = 0;
        foreach (int count in _histogram)
        {
            double share = count / (double)_labels.Length;
            clusters += count > 0 ? 1 : 0;
            entropy -= count > 0 ? share * Math.Log(share) : 0;
        }

        var mean = _sums.Over(_steps);
        return new CamsatEpoch
        {
            Epoch = epoch,
            Loss = mean.Loss,
            ConditionalEntropy = mean.ConditionalEntropy,
            MarginalEntropy = mean.MarginalEntropy,
            Adversarial = mean.Adversarial,
            Consistency = mean.Consistency,
            Symmetry = mean.Symmetry,
            InfoNce = mean.InfoNce,
            SupCon = mean.SupCon,
            Mixup = mean.Mixup,
            Clusters = clusters,
            LabelEntropy = entropy,
            Agreement = truth is null ? null : LabelMetrics.Compare(truth, _labels, (_device as CpuDevice)?.Threads ?? 0),
            Elapsed = elapsed,
        };
    }

    public CamsatResult Result(IReadOnlyList<CamsatEpoch> epochs)
    {
        float[][] parameters = [.. _network.Parameters.All.Select(parameter =>
        {
            var values = new float[parameter.Shape.Count];
            parameter.ExportTo(values);
            return values;
        })];
        return new CamsatResult(_dimension, _options, parameters) { Labels = _labels, Confidences = _confidences, Clusters = epochs[^1].Clusters, Epochs = epochs };
    }

    private void Step(ReadOnlySpan<int> rows)
    {
        _device.Workspace.Advance(_mark);
        _tape.Clear();
        _index.CopyIntsFrom(rows);
        _step++;
        var terms = _loss.Run(_tape, _index, rows, _step);
        if (!double.IsFinite(terms.Loss))
        {
            throw new NonFiniteException($"the loss is {terms.Loss} in step {_step}: lower the learning rate, or scale the rows (unitLength).");
        }

        _sums.Add(terms);
        double rate = 0.5 * _options.LearningRate * (1 + Math.Cos(Math.PI * (_step - 1) / ((double)_options.Epochs * _steps)));
        var parameters = _network.Parameters;
        Adam.Step(parameters.Values, parameters.Gradients, _mean, _meanSquare, _step, new AdamSettings { LearningRate = rate });
    }
}
