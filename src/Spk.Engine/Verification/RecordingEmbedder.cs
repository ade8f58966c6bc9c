namespace Spk.Engine.Verification;

/// <summary>
/// Embeds a recording that arrives in pieces, in consecutive windows and with the memory of one: the mean of the windows' unit embeddings,
/// weighted by their lengths, scaled to unit length. A rest shorter than <c>shortest</c> is left out, unless it is all there is.
/// </summary>
internal sealed class RecordingEmbedder(int window, int shortest, int size, RecordingEmbedder.Embedding embed)
{
    // Short recordings, which most are, must not take the memory of a whole window.
    private const int FirstRoom = 1 << 16;

    private readonly double[] _sum = new double[size];
    private readonly float[] _embedding = new float[size];
    private float[] _samples = new float[Math.Min(window, FirstRoom)];
    private int _held;
    private bool _any;

    /// <summary>Embeds one window.</summary>
    public delegate void Embedding(ReadOnlySpan<float> samples, Span<float> embedding);

    public void Add(ReadOnlySpan<float> samples)
    {
        while (!samples.IsEmpty)
        {
            // A full window is embedded only when more follows: until then it may be the last.
            if (_held == window)
            {
                Flush();
            }

            int taken = Math.Min(samples.Length, window - _held);
            if (_samples.Length < _held + taken)
            {
                Array.Resize(ref _samples, Math.Min(window, Math.Max(_held + taken, 2 * _samples.Length)));
            }

            samples[..taken].CopyTo(_samples.AsSpan(_held));
            _held += taken;
            samples = samples[taken..];
        }
    }

    /// <summary>The unit embedding of everything, [D].</summary>
    public float[] Finish()
    {
        if (_held >= shortest || !_any)
        {
            Flush();
        }

        UnitVector.Write(_sum, _embedding);
        return _embedding;
    }

    private void Flush()
    {
        embed(_samples.AsSpan(0, _held), _embedding);
        UnitVector.AddTo(_sum, _embedding, weight: _held);
        (_held, _any) = (0, true);
    }
}
