using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>The loss of CAMSAT over a batch of rows, and its gradients by the weights.</summary>
/// <remarks>
/// Rows, their views and the moved rows pass the network one after the other, each by the statistics of its own batch; the running statistics
/// follow the rows alone, which are what is labelled in the end.
/// </remarks>
internal sealed class CamsatLoss
{
    private const int Terms = 7;

    private readonly CamsatNetwork _network;
    private readonly CamsatData _data;
    private readonly CamsatOptions _options;
    private readonly Device _device;
    private readonly Tape _probe = new();
    private readonly float[] _directions, _mixture, _value = new float[2];
    private readonly Tensor[] _losses = new Tensor[Terms];
    private readonly float[] _weights = new float[Terms];
    private readonly int[] _partners;
    private readonly float[] _shares;
    private readonly Tensor? _running, _groups, _probabilities;
    private readonly float _share;
    private readonly int _batch;
    private int _terms;

    public CamsatLoss(CamsatNetwork network, CamsatData data, CamsatOptions options, int batch)
    {
        (_network, _data, _options, _batch) = (network, data, options, batch);
        _device = data.Rows.Device;
        _directions = new float[batch * data.Rows.Shape[1]];
        _mixture = new float[batch * data.Views.Length];
        (_partners, _shares) = (new int[batch], new float[batch]);
        if (options.SupConWeight > 0)
        {
            _groups = _device.Workspace.Rent(new Shape(batch), ElementType.Int32);
            _probabilities = _device.Workspace.Rent(new Shape(batch));
        }

        // Of smaller batches so many that there is about a row a cluster: more would make the marginal lag behind the network, and clusters swing.
        _share = options.MarginalShare > 0 ? (float)options.MarginalShare : Math.Min(1, batch / (float)options.Clusters);
        if (_share < 1)
        {
            _running = _device.Workspace.Rent(new Shape(options.Clusters));
            _device.Fill(_running, 1f / options.Clusters);
        }
    }

    /// <summary>Runs a batch forward and back; gradients are those of this batch.</summary>
    /// <param name="tape">Empty.</param>
    /// <param name="index">Numbers of the rows, i32 [B], on the device.</param>
    /// <param name="rows">The same on the host.</param>
    /// <param name="step">Steps so far, from 1.</param>
    public CamsatTerms Run(Tape tape, Tensor index, ReadOnlySpan<int> rows, long step)
    {
        _terms = 0;
        var x = SelectRows.Forward(null, _data.Rows, index);
        var logits = _network.Train(tape, x, updateStatistics: true);
        var moved = _options.AdversarialWeight > 0 ? Adversary(x, logits, index, rows, step) : null;
        _network.Parameters.ZeroGradients();

        // The gradient reaches the batch's share of the running marginal only; without the division H(Y) would lose against H(Y|X) where μ · share < 1,
        // and all rows would end in one cluster.
        var information = Information.Forward(tape, logits, (float)(_options.MarginalWeight / _share), out var entropies, _running, _share);
        Add(information, _options.InformationWeight);
        Tensor? adversarial = null, consistency = null, symmetry = null, contrast = null, supCon = null, mixup = null;
        if (moved is not null)
        {
            adversarial = Divergence.Forward(tape, logits, _network.Train(tape, moved, updateStatistics: false));
            Add(adversarial, _options.AdversarialWeight);
        }

        if (_options.UsesViews)
        {
            var views = _network.Train(tape, Views(index), updateStatistics: false, out var hidden);
            if (_options.ConsistencyWeight > 0)
            {
                consistency = Divergence.Forward(tape, logits, views);
                Add(consistency, _options.ConsistencyWeight);
            }

            if (_options.SymmetryWeight > 0)
            {
                symmetry = ViewSymmetry.Forward(tape, views, _data.Views.Length, _options.RandomMixture ? Mixture(rows, step) : null);
                Add(symmetry, _options.SymmetryWeight);
            }

            if (_options.InfoNceWeight > 0)
            {
                contrast = NtXent.Forward(
                    tape, hidden.Slice(0, _batch), hidden.Slice(_batch, _batch), (float)_options.Temperature, symmetric: true, MarginKind.None, 0);
                Add(contrast, _options.InfoNceWeight);
            }

            if (_options.SupConWeight > 0)
            {
                TopClass.Forward(logits, _groups!, _probabilities!);
                supCon = SupervisedContrast.Forward(tape, hidden, _data.Views.Length, _groups!, (float)_options.Temperature);
                Add(supCon, _options.SupConWeight);
            }
        }

        if (_options.MixupWeight > 0)
        {
            var mix = Mixed(step);
            mixup = Divergence.Forward(tape, logits, _network.Train(tape, MixRows.Forward(null, x, mix), updateStatistics: false), mix);
            Add(mixup, _options.MixupWeight);
        }

        var loss = WeightedSum.Forward(tape, _losses.AsSpan(0, _terms), _weights.AsSpan(0, _terms));
        tape.Backward(loss);
        entropies.CopyTo(_value);
        return new CamsatTerms
        {
            ConditionalEntropy = _value[0],
            MarginalEntropy = _value[1],
            Loss = Read(loss),
            Adversarial = Read(adversarial),
            Consistency = Read(consistency),
            Symmetry = Read(symmetry),
            InfoNce = Read(contrast),
            SupCon = Read(supCon),
            Mixup = Read(mixup),
        };
    }

    // The rows moved the worst way: one power iteration finds the direction in which the prediction changes most. It is a constant of the loss.
    private Tensor Adversary(Tensor x, Tensor logits, Tensor index, ReadOnlySpan<int> rows, long step)
    {
        int dimension = x.Shape[1];
        for (int i = 0; i < rows.Length; i++)
        {
            CamsatData.Directions(_options.Seed, step, rows[i], _directions.AsSpan(i * dimension, dimension));
        }

        var random = _device.Workspace.Rent(x.Shape);
        random.CopyFrom(_directions);
        var probed = Perturb.Forward(x, random, (float)_options.AdversarialStep);
        probed.RequiresGrad = true;
        _probe.Clear();
        var divergence = Divergence.Forward(_probe, logits, _network.Train(_probe, probed, updateStatistics: false));
        _network.WantWeightGradients(false);
        _probe.Backward(divergence);
        _network.WantWeightGradients(true);

        var radii = SelectRows.Forward(null, _data.Radii, index);
        return Perturb.Forward(x, probed.Grad!, (float)_options.AdversarialRadius, radii);
    }

    private Tensor Views(Tensor index)
    {
        var views = _device.Workspace.Rent(new Shape(_data.Views.Length * _batch, _data.Rows.Shape[1]));
        for (int view = 0; view < _data.Views.Length; view++)
        {
            Ops.Encoder.Add.Copy(null, SelectRows.Forward(null, _data.Views[view], index), views.Slice(view * _batch, _batch));
        }

        return views;
    }

    // Uniform over the simplex: exponential numbers over their sum.
    private Tensor Mixture(ReadOnlySpan<int> rows, long step)
    {
        int views = _data.Views.Length;
        for (int i = 0; i < rows.Length; i++)
        {
            var random = new CounterRandom(_options.Seed, RandomPurpose.Clustering, step, rows[i]);
            var weights = _mixture.AsSpan(i * views, views);
            float sum = 0;
            foreach (ref float weight in weights)
            {
                weight = -MathF.Log(1 - random.NextFloat()) + 1e-6f;
                sum += weight;
            }

            foreach (ref float weight in weights)
            {
                weight /= sum;
            }
        }

        var tensor = _device.Workspace.Rent(new Shape(rows.Length, views));
        tensor.CopyFrom(_mixture);
        return tensor;
    }

    private RowMix Mixed(long step)
    {
        Partners(_options.Seed, step, _partners, _shares);
        var (partners, shares) = (_device.Workspace.Rent(new Shape(_batch), ElementType.Int32), _device.Workspace.Rent(new Shape(_batch)));
        partners.CopyIntsFrom(_partners);
        shares.CopyFrom(_shares);
        return new RowMix(partners, shares);
    }

    /// <summary>What the rows of a step are mixed with, a permutation, and their own shares, uniform from 0 to 1.</summary>
    public static void Partners(ulong seed, long step, Span<int> partners, Span<float> shares)
    {
        // No row has this number.
        var random = new CounterRandom(seed, RandomPurpose.Clustering, step, item: -1);
        for (int i = 0; i < partners.Length; i++)
        {
            partners[i] = i;
            shares[i] = random.NextFloat();
        }

        random.Shuffle(partners);
    }

    private void Add(Tensor loss, double weight)
    {
        _losses[_terms] = loss;
        _weights[_terms++] = (float)weight;
    }

    private double Read(Tensor? term)
    {
        if (term is null)
        {
            return double.NaN;
        }

        term.CopyTo(_value);
        return _value[0];
    }
}
