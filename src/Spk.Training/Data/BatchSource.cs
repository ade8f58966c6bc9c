using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>How an epoch is cut into batches.</summary>
public sealed record BatchOptions
{
    /// <summary>Utterances in a batch, B, 1 or more.</summary>
    public required int Batch { get; init; }

    /// <summary>Crops of each utterance, V, 1 to 64.</summary>
    public int Views { get; init; } = 2;

    /// <summary>Samples of a crop, L, 1 or more.</summary>
    public required int Samples { get; init; }

    /// <summary>How two crops of one utterance lie to each other.</summary>
    public CropPairing Pairing { get; init; }

    /// <summary>Further, short crops of each utterance, 0 to 64.</summary>
    public int LocalViews { get; init; }

    /// <summary>Samples of a short crop; 1 or more where there are any.</summary>
    public int LocalSamples { get; init; }

    /// <summary>Samples of the clean segment that comes with each utterance; 0 for none.</summary>
    public int ReferenceSamples { get; init; }

    /// <summary>In what order an epoch goes through the utterances.</summary>
    public BatchSampling Sampling { get; init; }

    /// <summary>What the crops of a row are cut from.</summary>
    public PositivePairing Positives { get; init; }

    /// <summary>Rows that are dialogues or speakers instead of utterances, each with a crop of V of its utterances; null for utterances.</summary>
    public UtteranceGroups? Groups { get; init; }

    /// <summary>The run's seed.</summary>
    public ulong Seed { get; init; }
}

/// <summary>
/// The batches of every epoch. An epoch is an order of all utterances; what does not fill a batch is dropped. A batch is a
/// function of (seed, epoch, index), so training resumes anywhere without any stored state. Processes that train together
/// (<see cref="Device.Collective"/>) all know the whole batch, and each makes the waves of its own rows.
/// </summary>
public sealed class BatchSource
{
    private readonly Device _device;
    private readonly Corpus _corpus;
    private readonly BatchOptions _options;
    private readonly CropSet _views;
    private readonly CropSet? _localViews, _references;
    private readonly int[] _members;
    private readonly UtteranceOrder _order;
    private readonly GroupOrder? _groups;
    private readonly int[] _drawn;
    private readonly MemberSpeakers? _partners;
    private readonly TrainingBatch _batch;

    /// <summary>Prepares the batches.</summary>
    /// <param name="device">Where they are made.</param>
    /// <param name="corpus">The recordings.</param>
    /// <param name="options">Sizes and seed.</param>
    /// <param name="augmenter">Changes the crops; null leaves them as recorded.</param>
    /// <param name="utterances">Indices of the utterances to use; null for all of the corpus.</param>
    /// <exception cref="InvalidOptionException">
    /// A size is out of range, the batch is larger than the number of utterances or no multiple of the processes that share it, or an option needs
    /// speakers that are not known.
    /// </exception>
    public BatchSource(Device device, Corpus corpus, BatchOptions options, Augmenter? augmenter = null, IReadOnlyList<int>? utterances = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(options);
        _members = utterances is null ? [.. Enumerable.Range(0, corpus.Count)] : [.. utterances];
        if (options.Groups is null && (options.Batch < 1 || options.Batch > _members.Length))
        {
            throw new InvalidOptionException($"training.batch = {options.Batch}: allowed are 1 to {_members.Length}, the number of training utterances.");
        }

        if (options.Batch % device.Collective.Ranks != 0)
        {
            throw new InvalidOptionException(
                $"training.batch = {options.Batch} cannot be shared evenly by {device.Collective.Ranks} processes: use a multiple of {device.Collective.Ranks}.");
        }

        if (options.Views is < 1 or > 64)
        {
            throw new InvalidOptionException($"data.views = {options.Views}: allowed are 1 to 64.");
        }

        if (options.Samples < 1)
        {
            throw new InvalidOptionException($"data.cropSeconds gives crops of {options.Samples} samples: allowed is 1 or more.");
        }

        if (options.LocalViews is < 0 or > 64 || (options.LocalViews > 0 && options.LocalSamples < 1))
        {
            throw new InvalidOptionException(
                $"data.localViews = {options.LocalViews} of {options.LocalSamples} samples: allowed are 0 to 64 crops of 1 sample or more.");
        }

        _device = device;
        _corpus = corpus;
        _options = options;
        var processes = device.Collective;
        int all = options.Views + options.LocalViews;
        _views = new CropSet(corpus, new CropSampler(options.Seed, options.Pairing), augmenter, options.Batch, options.Views, options.Samples, 0, all, processes);
        if (options.LocalViews > 0)
        {
            _localViews = new CropSet(
                corpus, new CropSampler(options.Seed, CropPairing.Random, RandomPurpose.LocalCrop), augmenter?.ForLength(options.LocalSamples), options.Batch,
                options.LocalViews, options.LocalSamples, options.Views, all, processes);
        }

        if (options.ReferenceSamples > 0)
        {
            _references = new CropSet(
                corpus, new CropSampler(options.Seed, CropPairing.Random, RandomPurpose.ReferenceCrop), null, options.Batch, 1, options.ReferenceSamples, 0, 1, processes);
        }

        _order = new UtteranceOrder(
            _members, options.Sampling == BatchSampling.SpeakerBalanced ? new MemberSpeakers(corpus, _members, "data.sampler = speakerBalanced") : null, options.Seed);
        _partners = options.Positives == PositivePairing.SameSpeaker ? new MemberSpeakers(corpus, _members, "data.positives = sameSpeaker") : null;
        _groups = options.Groups is { } groups ? new GroupOrder(groups, options.Batch, options.Seed) : null;
        _drawn = new int[options.Views];
        _batch = new TrainingBatch(options.Batch, options.Views);
    }

    /// <summary>Measures the stages of <see cref="Read"/>; null measures nothing.</summary>
    internal StepProfile? Profile { get; set; }

    /// <summary>Batches in an epoch.</summary>
    public int BatchesPerEpoch => _groups?.BatchesPerEpoch ?? _members.Length / _options.Batch;

    /// <summary>Utterances to draw from.</summary>
    public int UtteranceCount => _members.Length;

    /// <summary>Makes one batch, in any order of calls.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="index">0 to <see cref="BatchesPerEpoch"/> − 1.</param>
    /// <param name="withReference">Whether to cut the clean segments, where the options have them.</param>
    /// <returns>The batch; valid until the next call or the workspace's next reset.</returns>
    public TrainingBatch Read(long epoch, int index, bool withReference = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, BatchesPerEpoch);
        Place(epoch, index, withReference);
        _views.CopyUtterances(_batch.CropUtterancesForWrite);
        _batch.CropUtterances[.._options.Batch].CopyTo(_batch.UtterancesForWrite);
        var speakers = _batch.SpeakersForWrite;
        for (int b = 0; b < _options.Batch; b++)
        {
            speakers[b] = _corpus.SpeakerOf(_batch.Utterances[b]);
        }

        _batch.Waves = _views.Read(_device, epoch, Profile);
        _batch.LocalWaves = _localViews?.Read(_device, epoch, Profile);
        _batch.ReferenceWaves = withReference ? _references?.Read(_device, epoch, Profile) : null;
        return _batch;
    }

    /// <summary>
    /// Announces the batch that <see cref="Read"/> will be asked for next, so that its samples reach a GPU while that still works
    /// on the present one. Changes no result.
    /// </summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="index">0 to <see cref="BatchesPerEpoch"/> − 1.</param>
    /// <param name="withReference">As for <see cref="Read"/>.</param>
    public void Prepare(long epoch, int index, bool withReference = true)
    {
        if (_device is CpuDevice)
        {
            return;
        }

        Place(epoch, index, withReference);
        _views.Prepare(_device, epoch);
        _localViews?.Prepare(_device, epoch);
        if (withReference)
        {
            _references?.Prepare(_device, epoch);
        }
    }

    private void Place(long epoch, int index, bool withReference)
    {
        var rows = (_groups is null ? _order.Of(epoch) : _groups.Of(epoch)).Slice(index * _options.Batch, _options.Batch);
        for (int b = 0; b < rows.Length; b++)
        {
            if (_groups is null)
            {
                Place(epoch, rows[b], b, withReference);
            }
            else
            {
                _groups.Draw(epoch, rows[b], _drawn);
                _views.Place(epoch, _drawn, b);
            }
        }
    }

    private void Place(long epoch, int utterance, int row, bool withReference)
    {
        _views.Place(epoch, utterance, row, _partners?.Partner(_options.Seed, epoch, utterance) ?? utterance);
        _localViews?.Place(epoch, utterance, row, utterance);
        if (withReference)
        {
            _references?.Place(epoch, utterance, row, utterance);
        }
    }
}
