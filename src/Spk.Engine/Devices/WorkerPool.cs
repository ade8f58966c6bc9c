using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Spk.Engine.Devices;

/// <summary>
/// The body of a parallel loop: an unmanaged struct of pointers and sizes, so that starting a loop allocates nothing. <see cref="Run"/> is implemented with
/// <see cref="HotLoop.Options"/>.
/// </summary>
internal interface IParallelBody
{
    /// <summary>Does one item of work.</summary>
    /// <param name="index">Which item, 0 to count − 1. What is computed may depend on this only.</param>
    /// <param name="worker">Which worker runs it; selects scratch memory, never the result.</param>
    void Run(int index, int worker);
}

/// <summary>
/// A fixed set of threads for parallel loops. Items are claimed in order, so any thread may run any item: a loop whose items
/// are independent (partial sums added afterwards in item order) gives the same bits for every thread count. A loop ends when its items are done, and does
/// not wait for threads that took none: beside other programs a thread may get a processor only milliseconds later.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // Loops follow each other within microseconds in a training step; waiting awake that long is cheaper than a wake-up call.
    private const int SpinsBeforeSleep = 4000;

    private readonly Thread[] _threads;
    private readonly AutoResetEvent[] _wake;
    private readonly int[] _asleep;
    private readonly nint[] _scratch;
    private readonly nuint[] _scratchBytes;
    private delegate*<void*, int, int, void> _invoke;
    private void* _body;
    private int _count;
    private int _unclaimed;
    private int _unfinished;
    private int _generation;
    private volatile bool _stopping;
    private ExceptionDispatchInfo? _failure;

    public WorkerPool(int threads)
    {
        Threads = threads;
        _scratch = new nint[threads];
        _scratchBytes = new nuint[threads];
        _threads = new Thread[threads - 1];
        _wake = new AutoResetEvent[threads - 1];
        _asleep = new int[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int slot = i;
            _wake[i] = new AutoResetEvent(false);
            _threads[i] = new Thread(() => Work(slot)) { IsBackground = true, Name = $"spk worker {i + 1}" };
            _threads[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>The pool behind <see cref="CpuDevice.WorkersHandle"/>.</summary>
    public static WorkerPool Of(nint handle) => (WorkerPool)GCHandle.FromIntPtr(handle).Target!;

    /// <summary>Runs items 0 to count − 1 and returns when all are done.</summary>
    public void For<TBody>(int count, ref TBody body) where TBody : unmanaged, IParallelBody
    {
        if (count <= 0)
        {
            return;
        }

        fixed (TBody* pointer = &body)
        {
            if (count == 1 || Threads == 1)
            {
                for (int i = 0; i < count; i++)
                {
                    pointer->Run(i, 0);
                }

                return;
            }

            _body = pointer;
            _invoke = &Invoke<TBody>;
            _count = count;
            _unfinished = count;
            Volatile.Write(ref _unclaimed, count);
            Interlocked.Increment(ref _generation);
            for (int i = 0; i < _wake.Length; i++)
            {
                if (Volatile.Read(ref _asleep[i]) == 1)
                {
                    _wake[i].Set();
                }
            }

            Drain(0);
            var spinner = default(SpinWait);
            while (Volatile.Read(ref _unfinished) != 0)
            {
                spinner.SpinOnce(sleep1Threshold: -1);
            }

            if (Interlocked.Exchange(ref _failure, null) is { } failure)
            {
                failure.Throw();
            }
        }
    }

    /// <summary>Scratch memory of one worker, 64-byte aligned, kept between loops; contents are undefined.</summary>
    public byte* Scratch(int worker, nuint bytes)
    {
        if (_scratchBytes[worker] < bytes)
        {
            NativeMemory.AlignedFree((void*)_scratch[worker]);
            _scratch[worker] = (nint)NativeMemory.AlignedAlloc(bytes, 64);
            _scratchBytes[worker] = bytes;
        }

        return (byte*)_scratch[worker];
    }

    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }

        _stopping = true;
        Interlocked.Increment(ref _generation);
        foreach (var wake in _wake)
        {
            wake.Set();
        }

        foreach (var thread in _threads)
        {
            thread.Join();
        }

        foreach (var wake in _wake)
        {
            wake.Dispose();
        }

        for (int i = 0; i < _scratch.Length; i++)
        {
            NativeMemory.AlignedFree((void*)_scratch[i]);
            _scratch[i] = 0;
        }
    }

    private static void Invoke<TBody>(void* body, int index, int worker) where TBody : unmanaged, IParallelBody =>
        ((TBody*)body)->Run(index, worker);

    private void Work(int slot)
    {
        int seen = 0;
        while (true)
        {
            WaitForNext(slot, seen);
            seen = Volatile.Read(ref _generation);
            if (_stopping)
            {
                return;
            }

            Drain(slot + 1);
        }
    }

    private void WaitForNext(int slot, int seen)
    {
        for (int i = 0; i < SpinsBeforeSleep; i++)
        {
            if (Volatile.Read(ref _generation) != seen)
            {
                return;
            }

            Thread.SpinWait(8);
        }

        while (Volatile.Read(ref _generation) == seen)
        {
            // Announce the sleep, then look again: a loop started in between either sees the flag or is seen here.
            Interlocked.Exchange(ref _asleep[slot], 1);
            if (Volatile.Read(ref _generation) == seen)
            {
                _wake[slot].WaitOne();
            }

            Interlocked.Exchange(ref _asleep[slot], 0);
        }
    }

    // A worker may come when the loop it was woken for has ended. The counter then is below zero and tells it nothing is left, or another loop runs and it helps there:
    // what belongs to a loop is read only while an item of it is held, because no loop ends, and no other begins, before all items are reported as finished.
    private void Drain(int worker)
    {
        int finished = 0, left;
        while ((left = Interlocked.Decrement(ref _unclaimed)) >= 0)
        {
            Run(_count - 1 - left, worker);
            finished++;
        }

        if (finished > 0)
        {
            Interlocked.Add(ref _unfinished, -finished);
        }
    }

    private void Run(int index, int worker)
    {
        try
        {
            if (Volatile.Read(ref _failure) is null)
            {
                _invoke(_body, index, worker);
            }
        }
#pragma warning disable CA1031 // Any failure of a worker must reach the caller's thread instead of ending the process.
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
#pragma warning restore CA1031
    }
}
