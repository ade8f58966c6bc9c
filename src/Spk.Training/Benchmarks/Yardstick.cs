namespace Spk.Training.Benchmarks;

/// <summary>
/// Work that never changes, multiply-adds on registers, done between the calls of a case on the calling thread, for a tenth of the time. The
/// processor time it takes tells how fast the processor was meanwhile.
/// </summary>
internal sealed class Yardstick
{
    // Some tenths of a millisecond: long enough for the clock, short enough to be left alone now and then.
    private const int Sweeps = 300_000;
    private const double Share = 0.1;

    private double _least, _wall, _waited;
    private float _value;

    /// <summary>Forgets what was measured, for the next case.</summary>
    public void Restart() => (_least, _wall, _waited) = (double.PositiveInfinity, 0, ProcessorWait.Seconds());

    /// <summary>Measures, if less than its share of the time was spent on it.</summary>
    /// <param name="now">Seconds since the restart.</param>
    public void MeasureIfDue(double now)
    {
        if (_wall > Share * now)
        {
            return;
        }

        var start = CallTime.Now();
        _value = MachineCeilings.MultiplyAdds(1 + (_value * 1e-7f), Sweeps);
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
