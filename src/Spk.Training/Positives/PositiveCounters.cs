using Spk.Engine.Clustering;
using Spk.Training.Checkpoints;
using Spk.Training.Data;
using Spk.Training.Objectives;

namespace Spk.Training.Positives;

/// <summary>How good the replaced positives of an epoch are, where the manifest names speakers and sessions. Never used to train.</summary>
internal sealed class PositiveCounters
{
    private readonly int[] _speakerOf, _sessionOf;
    private long _anchors, _replaced, _ofKnownSpeaker, _sameSpeaker, _ofKnownSession, _sameSession;

    public PositiveCounters(Corpus corpus)
    {
        _speakerOf = [.. Enumerable.Range(0, corpus.Count).Select(corpus.SpeakerOf)];
        var sessions = new Dictionary<string, int>(StringComparer.Ordinal);
        _sessionOf = new int[corpus.Count];
        for (int i = 0; i < _sessionOf.Length; i++)
        {
            string? session = corpus.Utterances[i].Session;
            _sessionOf[i] = session is null ? -1 : sessions.TryGetValue(session, out int known) ? known : sessions[session] = sessions.Count;
        }
    }

    /// <summary>Counts an anchor.</summary>
    /// <param name="anchor">Its utterance.</param>
    /// <param name="replaced">Whether it got another positive than its own.</param>
    /// <param name="positive">The utterance of that positive, −1 where it is of none.</param>
    public void Add(int anchor, bool replaced, int positive)
    {
        _anchors++;
        _replaced += replaced ? 1 : 0;
        if (positive < 0)
        {
            return;
        }

        if (_speakerOf[anchor] >= 0 && _speakerOf[positive] >= 0)
        {
            _ofKnownSpeaker++;
            _sameSpeaker += _speakerOf[anchor] == _speakerOf[positive] ? 1 : 0;
        }

        if (_sessionOf[anchor] >= 0 && _sessionOf[positive] >= 0)
        {
            _ofKnownSession++;
            _sameSession += _sessionOf[anchor] == _sessionOf[positive] ? 1 : 0;
        }
    }

    /// <summary>Writes the figures of the epoch and starts anew.</summary>
    /// <param name="clusterOf">Cluster of every utterance, −1 for none; null where nothing was clustered.</param>
    /// <param name="figures">Receives them.</param>
    public void Close(int[]? clusterOf, ICollection<EpochFigure> figures)
    {
        figures.Add(new EpochFigure("sspsCoverage", Share(_replaced, _anchors)));
        figures.Add(new EpochFigure("sspsSpeakerAccuracy", Share(_sameSpeaker, _ofKnownSpeaker)));
        figures.Add(new EpochFigure("sspsSessionAccuracy", Share(_sameSession, _ofKnownSession)));
        if (clusterOf is not null)
        {
            figures.Add(new EpochFigure("sspsSpeakerNmi", Agreement(clusterOf, _speakerOf)));
            figures.Add(new EpochFigure("sspsSessionNmi", Agreement(clusterOf, _sessionOf)));
        }

        _anchors = _replaced = _ofKnownSpeaker = _sameSpeaker = _ofKnownSession = _sameSession = 0;
    }

    public void VisitState(StateVisitor visitor)
    {
        visitor.Visit("ssps.anchors", ref _anchors);
        visitor.Visit("ssps.replaced", ref _replaced);
        visitor.Visit("ssps.of_known_speaker", ref _ofKnownSpeaker);
        visitor.Visit("ssps.same_speaker", ref _sameSpeaker);
        visitor.Visit("ssps.of_known_session", ref _ofKnownSession);
        visitor.Visit("ssps.same_session", ref _sameSession);
    }

    private static double Share(long part, long all) => all > 0 ? (double)part / all : double.NaN;

    private static double Agreement(int[] clusterOf, int[] truth)
    {
        int[] known = [.. Enumerable.Range(0, truth.Length).Where(i => truth[i] >= 0 && clusterOf[i] >= 0)];
        return known.Length == 0
            ? double.NaN
            : LabelMetrics.NormalizedMutualInformation(ContingencyTable.Build([.. known.Select(i => truth[i])], [.. known.Select(i => clusterOf[i])]));
    }
}
