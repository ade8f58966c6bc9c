namespace Spk.Training.Benchmarks;

/// <summary>
/// Work that never changes, done between the calls of a case on as many threads, for a tenth of the time: multiply-adds on registers, or for cases
/// that memory bounds long copies. The time it takes tells how fast the processors, or the memory that they share with others, were meanwhile.
/// </summary>
internal sealed class Yardstick
{
    // Some tenths of a millisecond: long enough for the clock, short enough to be left alone now and then.
    private const int Sweeps = 300_000;
    private const double Share = 0.1;

    // Of a thread, each way: beyond the caches.
    private const int CopyFloats = 8 << 20;

    private readonly ParallelOptions _threads;
    private readonly float[] _values;
    private readonly Lazy<float[][]> _from, _to;
    private bool _ofMemory;
    private double _leastClock, _leastProcessor, _wall, _waited;

    /// <param name="threads">Threads of the cases.</param>
    public Yardstick(int threads)
    {
        _threads = new ParallelOptions { MaxDegreeOfParallelism = threads };
        _values = new float[threads];
        _from = new(() => Arrays(threads));
        _to = new(() => Arrays(threads));
    }

    /// <summary>Forgets what was measured, for the next case.</summary>
    /// <param name="ofMemory">Whether memory bounds that case.</param>
    public void Restart(bool ofMemory)
    {
        (_leastClock, _leastProcessor, _wall, _waited, _ofMemory) = (double.PositiveInfinity, double.PositiveInfinity, 0, ProcessorWait.Seconds(), ofMemory);
        if (ofMemory)
        {
            Work(); // Its pages are there from now on.
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
        Work();
        var time = CallTime.Since(start);
        (_leastClock, _leastProcessor, _wall) = (Math.Min(_leastClock, time.Wall), Math.Min(_leastProcessor, time.Processor), _wall + time.Wall);
    }

    /// <summary>The pace since the restart; null where the system does not count processor time.</summary>
    /// <param name="now">Seconds since the restart.</param>
    public MachinePace? Pace(double now)
    {
        // Less than before: a thread has ended, and what it waited is not known.
        double waited = ProcessorWait.Seconds() - _waited;
        return _leastProcessor is > 0 and < double.PositiveInfinity ? new MachinePace(_leastClock, _leastProcessor, waited < 0 ? 1 : waited / now) : null;
    }

    private static float[][] Arrays(int threads) => [.. Enumerable.Range(0, threads).Select(_ => new float[CopyFloats])];

    private void Work() => Parallel.For(0, _values.Length, _threads, Work);

    private void Work(int thread)
    {
        if (_ofMemory)
        {
            _from.Value[thread].CopyTo(_to.Value[thread], 0);
        }
        else
        {
            _values[thread] = MachineCeilings.MultiplyAdds(1 + (_values[thread] * 1e-7f), Sweeps);
        }
    }
}
