namespace Spk.Engine.Numerics;

/// <summary>
/// The frames of every item in pairs (t, t + dilation): t = 2 · dilation · j + r with r below the dilation. A pair at the end of
/// an item may lack its second frame.
/// </summary>
internal readonly struct FramePairs
{
    private readonly int _items, _frames, _dilation, _perItem;

    /// <summary>Pairs the frames.</summary>
    public FramePairs(int items, int frames, int dilation)
    {
        (_items, _frames, _dilation) = (items, frames, dilation);
        _perItem = (frames / (2 * dilation) * dilation) + Math.Min(frames % (2 * dilation), dilation);
    }

    /// <summary>Pairs of all items.</summary>
    public int Count => _items * _perItem;

    /// <summary>Row (item, frame) of the pair's first frame; the second lies a dilation further.</summary>
    /// <param name="pair">Which pair.</param>
    /// <param name="whole">Whether it has a second frame.</param>
    public int First(int pair, out bool whole)
    {
        int item = pair / _perItem, inside = pair - (item * _perItem);
        int frame = inside + (inside / _dilation * _dilation);
        whole = frame + _dilation < _frames;
        return (item * _frames) + frame;
    }
}
