using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Tests.Support;

namespace Spk.Tests.Devices;

public unsafe class WorkerPoolTests
{
    [Test]
    public void Every_item_runs_exactly_once([Values(1, 2, 5)] int threads, [Values(0, 1, 7, 10000)] int count)
    {
        using var pool = new WorkerPool(threads);
        var hits = new int[count + 1];
        for (int repeat = 0; repeat < 20; repeat++)
        {
            Array.Clear(hits);
            fixed (int* pointer = hits)
            {
                var body = new CountBody { Hits = pointer };
                pool.For(count, ref body);
            }

            Assert.That(hits[..count], Is.All.EqualTo(1));
        }
    }

    [Test]
    public void A_loop_started_after_the_workers_fell_asleep_still_runs()
    {
        using var pool = new WorkerPool(3);
        var hits = new int[64];
        for (int repeat = 0; repeat < 5; repeat++)
        {
            Thread.Sleep(30);
            fixed (int* pointer = hits)
            {
                var body = new CountBody { Hits = pointer };
                pool.For(hits.Length, ref body);
            }
        }

        Assert.That(hits, Is.All.EqualTo(5));
    }

    [Test]
    public void Short_loops_that_follow_each_other_do_not_mix()
    {
        // More threads than processors: most of them come when the loop they were woken for has ended.
        using var pool = new WorkerPool(8);
        var hits = new int[40];
        fixed (int* pointer = hits)
        {
            for (int loop = 0; loop < 20000; loop++)
            {
                int count = 2 + (loop % 39), sum = 0;
                var adding = new SumBody { Sum = &sum };
                pool.For(count, ref adding);
                Assert.That(sum, Is.EqualTo(count * (count - 1) / 2), $"loop {loop}");
                if (loop % 3 == 0)
                {
                    Array.Clear(hits);
                    var counting = new CountBody { Hits = pointer };
                    pool.For(count - 1, ref counting);
                    Assert.That(hits.Sum(), Is.EqualTo(count - 1), $"loop {loop}");
                }
            }
        }
    }

    [Test]
    public void A_failure_in_a_worker_reaches_the_caller_and_the_pool_goes_on()
    {
        using var pool = new WorkerPool(2);
        var failing = new FailingBody { At = 500 };
        Assert.That(() => pool.For(1000, ref failing), Throws.InvalidOperationException.With.Message.EqualTo("item 500"));
        var hits = new int[10];
        fixed (int* pointer = hits)
        {
            var body = new CountBody { Hits = pointer };
            pool.For(hits.Length, ref body);
        }

        Assert.That(hits, Is.All.EqualTo(1));
    }

    [Test]
    public void Loops_allocate_nothing()
    {
        using var pool = new WorkerPool(2);
        Allocations.AssertNone(() =>
        {
            int sum = 0;
            var body = new SumBody { Sum = &sum };
            pool.For(100, ref body);
            if (sum != 4950)
            {
                throw new InvalidOperationException("items are missing");
            }
        });
    }

    private struct CountBody : IParallelBody
    {
        public int* Hits;

        public void Run(int index, int worker) => Interlocked.Increment(ref Hits[index]);
    }

    private struct SumBody : IParallelBody
    {
        public int* Sum;

        public void Run(int index, int worker) => Interlocked.Add(ref *Sum, index);
    }

    private struct FailingBody : IParallelBody
    {
        public int At;

        public void Run(int index, int worker)
        {
            if (index == At)
            {
                throw new InvalidOperationException($"item {index}");
            }
        }
    }
}
