namespace Spk.Engine.Ops.Audio;

/// <summary>
/// Walks over samples from … from + count − 1 of an utterance in runs that lie in one piece. Outside the utterance there is its
/// repetition where the crop is tiled, else silence.
/// </summary>
/// <param name="length">Samples of the utterance, 1 or more.</param>
/// <param name="from">First sample; may be negative.</param>
/// <param name="count">How many.</param>
/// <param name="tiled">Whether the utterance is repeated.</param>
internal ref struct CropPieces(int length, long from, int count, bool tiled)
{
    private int _next;

    /// <summary>Where the run goes, counted from the first sample.</summary>
    public int Offset { get; private set; }

    /// <summary>Where the run begins in the utterance; −1 for silence.</summary>
    public int Start { get; private set; }

    /// <summary>Samples of the run.</summary>
    public int Count { get; private set; }

    /// <summary>Goes to the next run.</summary>
    /// <returns>False when there is none.</returns>
    public bool Next()
    {
        if (_next >= count)
        {
            return false;
        }

        long at = from + _next;
        if (tiled)
        {
            at %= length;
            at = at < 0 ? at + length : at;
        }

        int left = count - _next;
        Offset = _next;
        if (at < 0 || at >= length)
        {
            Start = -1;
            Count = at < 0 ? (int)Math.Min(left, -at) : left;
        }
        else
        {
            Start = (int)at;
            Count = (int)Math.Min(left, length - at);
        }

        _next += Count;
        return true;
    }
}
