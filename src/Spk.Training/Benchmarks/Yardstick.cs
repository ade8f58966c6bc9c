namespace Spk.Training.Benchmarks;

/// <summary>
/// Work that never changes, done between the calls of a case on the calling thread, for a tenth of the time: multiply-adds on registers, or for cases
/// that memory bounds a long copy. The processor time it takes tells how fast the processor, or the memory that it shares with others, was meanwhile.
/// </summary>
internal sealed class Yardstick
{
    // Some tenths of a millisecond: long enough for the clock, short enough to be left alone now and then.
    private const int Sweeps = 300_000;
    private const double Share = 0.1;

    // Beyond the caches, each way.
    private const int CopyFloats = 8 << 20;

    private readonly Lazy<float[]> _from = new(() => new float[CopyFloats]), _to = new(() => new float[CopyFloats]);
    private bool _ofMemory;
    private double _least, _wall, _waited;
    private float _value;

    /// <summary>Forgets what was measured, for the next case.</summary>
    /// <param name="ofMemory">Whether memory bounds that case.</param>
    public void Restart(bool ofMemory)
    {
        (_least, _wall, _waited, _ofMemory) = (double.PositiveInfinity, 0, ProcessorWait.Seconds(), ofMemory);
        if (ofMemory)
        {
            _from.Value.CopyTo(_to.Value, 0); // Its pages are there from now on.
        }
    }

    /// <summary>Measures, if less than its share of the time was spent on it.</summary>
    /// <param name="now">Seconds since the restart.</param>
    public void MeasureIfDue(double now)
    {
        if (_wall > Share * now)
        {
            return;
        }

        var start = CallTime.Now();
        if (_ofMemory)
        {
            _from.Value.CopyTo(_to.Value, 0);
        }
        else
        {
            _value = MachineCeilings.MultiplyAdds(1 + (_value * 1e-7f), Sweeps);
        }

        var time = CallTime.Since(start);
        (_least, _wall) = (Math.Min(_least, time.Processor), _wall + time.Wall);
    }

    /// <summary>The pace since the restart; null where the system does not count processor time.</summary>
    /// <param name="now">Seconds since the restart.</param>
    public MachinePace? Pace(double now)
    {
        // Less than before: a thread has ended, and what it waited is not known.
        double waited = ProcessorWait.Seconds() - _waited;
        return _least is > 0 and < double.PositiveInfinity ? new MachinePace(_least, waited < 0 ? 1 : waited / now) : null;
    }
}
