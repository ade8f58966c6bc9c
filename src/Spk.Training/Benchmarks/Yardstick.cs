namespace Spk.Training.Benchmarks;

/// <summary>
/// Work that never changes, done between the calls of a case for a tenth of the time: multiply-adds on registers, or for cases that memory bounds
/// long copies. The time it takes tells how fast the processors, or the memory that they share with others, were meanwhile.
/// </summary>
/// <remarks>
/// It is done twice: by as many threads as the case has, for the clock, and by the calling thread alone, for processor time, of which the system knows that
/// of other threads too coarsely. The threads are its own, so that nothing depends on the engine's.
/// </remarks>
internal sealed class Yardstick : IDisposable
{
    // Some tenths of a millisecond: long enough for the clock, short enough to be left alone now and then.
    private const int Sweeps = 300_000;
    private const double Share = 0.1;

    // The engine's threads wait awake for so long after a call.
    private const int RestMilliseconds = 2;

    // Of all threads together, each way: beyond the caches.
    private const int CopyFloats = 16 << 20;

    private readonly Thread[] _others;
    private readonly SemaphoreSlim _start = new(0), _done = new(0);
    private readonly float[] _values;
    private readonly Lazy<float[]> _from = new(() => new float[CopyFloats]), _to = new(() => new float[CopyFloats]);
    private ProcessorWait _wait = new();
    private bool _ofMemory, _stopping;
    private double _leastClock, _leastProcessor, _wall;

    /// <param name="threads">Threads of the cases.</param>
    public Yardstick(int threads)
    {
        _values = new float[threads];
        _others = [.. Enumerable.Range(1, threads - 1).Select(t => new Thread(() => Serve(t)) { IsBackground = true, Name = $"spk yardstick {t}" })];
        Array.ForEach(_others, thread => thread.Start());
    }

    /// <summary>Forgets what was measured, for the next case.</summary>
    /// <param name="ofMemory">Whether memory bounds that case.</param>
    public void Restart(bool ofMemory)
    {
        (_leastClock, _leastProcessor, _wall, _ofMemory) = (double.PositiveInfinity, double.PositiveInfinity, 0, ofMemory);
        if (ofMemory)
        {
            Together(); // Its pages are there from now on.
        }

        _wait = new ProcessorWait();
    }

    /// <summary>Measures, if less than its share of the time was spent on it.</summary>
    /// <param name="now">Seconds since the restart.</param>
    public void MeasureIfDue(double now)
    {
        if (_wall > Share * now)
        {
            return;
        }

        Thread.Sleep(RestMilliseconds);
        var start = CallTime.Now();
        Together();
        double together = CallTime.Since(start).Wall;
        start = CallTime.Now();
        Work(0);
        var alone = CallTime.Since(start);
        (_leastClock, _leastProcessor, _wall) = (Math.Min(_leastClock, together), Math.Min(_leastProcessor, alone.Processor), _wall + together + alone.Wall);
    }

    /// <summary>The pace since the restart; null where the system does not count processor time.</summary>
    /// <param name="now">Seconds since the restart.</param>
    public MachinePace? Pace(double now) => _leastProcessor is > 0 and < double.PositiveInfinity
        ? new MachinePace(_leastClock, _leastProcessor, _wait.Seconds() / now / _values.Length)
        : null;

    /// <summary>Ends its threads.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        if (_others.Length > 0)
        {
            _start.Release(_others.Length);
            Array.ForEach(_others, thread => thread.Join());
        }

        _start.Dispose();
        _done.Dispose();
    }

    private void Serve(int thread)
    {
        while (true)
        {
            _start.Wait();
            if (Volatile.Read(ref _stopping))
            {
                return;
            }

            Work(thread);
            _done.Release();
        }
    }

    private void Together()
    {
        if (_others.Length > 0)
        {
            _start.Release(_others.Length);
        }

        Work(0);
        for (int i = 0; i < _others.Length; i++)
        {
            _done.Wait();
        }
    }

    private void Work(int thread)
    {
        if (_ofMemory)
        {
            int each = CopyFloats / _values.Length;
            _from.Value.AsSpan(thread * each, each).CopyTo(_to.Value.AsSpan(thread * each));
        }
        else
        {
            _values[thread] = MachineCeilings.MultiplyAdds(1 + (_values[thread] * 1e-7f), Sweeps);
        }
    }
}
