using Spk.Engine.Audio;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;

namespace Spk.Training.Data;

/// <summary>One kind of crops of a batch: as many of every utterance, all of one length, all changed or none.</summary>
internal sealed class CropSet
{
    private readonly Corpus _corpus;
    private readonly CropSampler _sampler;
    private readonly Augmenter? _augmenter;
    private readonly int _batch, _views, _samples, _reach, _firstItem, _itemsEach;
    private readonly int _ownRow, _ownRows;
    private readonly CropRequest[] _requests, _ownRequests;
    private readonly int[] _items, _ownItems;
    private readonly int[] _starts, _otherStarts;

    /// <summary>Makes room for the crops.</summary>
    /// <param name="corpus">The recordings.</param>
    /// <param name="sampler">Where crops start.</param>
    /// <param name="augmenter">Changes the crops; null leaves them as recorded.</param>
    /// <param name="batch">Utterances of a batch.</param>
    /// <param name="views">Crops of each.</param>
    /// <param name="samples">Samples of each crop.</param>
    /// <param name="firstItem">Number of the first of them among all changed crops of an utterance.</param>
    /// <param name="itemsEach">How many changed crops an utterance has in all.</param>
    /// <param name="collective">The processes that share a batch; their number divides it.</param>
    public CropSet(
        Corpus corpus, CropSampler sampler, Augmenter? augmenter, int batch, int views, int samples, int firstItem, int itemsEach, Collective collective)
    {
        (_corpus, _sampler, _augmenter) = (corpus, sampler, augmenter);
        (_batch, _views, _samples, _firstItem, _itemsEach) = (batch, views, samples, firstItem, itemsEach);
        _requests = new CropRequest[batch * views];
        _items = new int[_requests.Length];
        _ownRows = batch / collective.Ranks;
        _ownRow = collective.Rank * _ownRows;
        _ownRequests = _ownRows == batch ? _requests : new CropRequest[_ownRows * views];
        _ownItems = _ownRows == batch ? _items : new int[_ownRequests.Length];
        _starts = new int[views];
        _otherStarts = new int[views];

        // A faster crop reads more of the utterance; starts leave room for the fastest.
        float speed = Math.Max(1f, augmenter?.Spec.MaximumSpeed ?? 1f);
        _reach = (int)Math.Ceiling((double)samples * speed);
    }

    /// <summary>Chooses the crops of one row.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="utterance">Index of the row's utterance in the corpus; also decides how its crops are changed.</param>
    /// <param name="row">Its place in the batch.</param>
    /// <param name="partner">The utterance that the second crop and every other one after it are cut from: itself, or another.</param>
    public void Place(long epoch, int utterance, int row, int partner)
    {
        _sampler.Sample(epoch, utterance, _corpus.LengthOf(utterance), _reach, _starts);
        int[] otherStarts = _starts;
        if (partner != utterance)
        {
            otherStarts = _otherStarts;
            _sampler.Sample(epoch, partner, _corpus.LengthOf(partner), _reach, otherStarts);
        }

        for (int view = 0; view < _views; view++)
        {
            int at = (view * _batch) + row, item = (utterance * _itemsEach) + _firstItem + view;
            bool other = view % 2 == 1;
            var (gain, speed) = _augmenter?.Cut(epoch, item) ?? (1f, 1f);
            _requests[at] = new CropRequest(other ? partner : utterance, (other ? otherStarts : _starts)[view], gain, speed);
            _items[at] = item;
        }
    }

    /// <summary>Chooses the crops of one row, each from an utterance of its own.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="utterances">As many distinct utterances as there are crops.</param>
    /// <param name="row">Its place in the batch.</param>
    public void Place(long epoch, ReadOnlySpan<int> utterances, int row)
    {
        for (int view = 0; view < _views; view++)
        {
            int at = (view * _batch) + row, utterance = utterances[view], item = (utterance * _itemsEach) + _firstItem + view;
            _sampler.Sample(epoch, utterance, _corpus.LengthOf(utterance), _reach, _starts.AsSpan(0, 1));
            var (gain, speed) = _augmenter?.Cut(epoch, item) ?? (1f, 1f);
            _requests[at] = new CropRequest(utterance, _starts[0], gain, speed);
            _items[at] = item;
        }
    }

    /// <summary>What the crops that were chosen last are cut from, view-major.</summary>
    public void CopyUtterances(Span<int> utterances)
    {
        for (int i = 0; i < utterances.Length; i++)
        {
            utterances[i] = _requests[i].Utterance;
        }
    }

    /// <summary>Cuts and changes this process's rows of the crops that were chosen last.</summary>
    /// <returns>f32 [V·B, L], view-major, in the device's workspace; B/R rows of each view where R processes share the batch.</returns>
    public Tensor Read(Device device, long epoch, StepProfile? profile)
    {
        TakeOwn();
        var waves = CropGather.Forward(device, _corpus, _ownRequests, _samples);
        profile?.End(StepStage.Crops, device);
        _augmenter?.Apply(waves, epoch, _ownItems);
        profile?.End(StepStage.Augmentation, device);
        return waves;
    }

    /// <summary>Sends the samples of the crops that were chosen last on their way.</summary>
    public void Prepare(Device device, long epoch)
    {
        TakeOwn();
        CropGather.Prepare(device, _corpus, _ownRequests, _samples);
        _augmenter?.Prepare(epoch, _ownItems);
    }

    private void TakeOwn()
    {
        if (_ownRequests == _requests)
        {
            return;
        }

        for (int view = 0; view < _views; view++)
        {
            int from = (view * _batch) + _ownRow, to = view * _ownRows;
            _requests.AsSpan(from, _ownRows).CopyTo(_ownRequests.AsSpan(to));
            _items.AsSpan(from, _ownRows).CopyTo(_ownItems.AsSpan(to));
        }
    }
}
