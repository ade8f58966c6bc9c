using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Interop;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Tests.Support;

/// <summary>Threads in the place of processes, each with a device of any kind: the same calls, and an error where the threads do not all make the same.</summary>
internal sealed class ThreadCollective : Collective
{
    private readonly Meeting _meeting;

    private ThreadCollective(Meeting meeting, int rank) => (_meeting, Rank) = (meeting, rank);

    public override int Rank { get; }

    public override int Ranks => _meeting.Ranks;

    /// <summary>Runs every rank's part on a thread of its own. One that fails ends the others, and its exception is thrown here.</summary>
    public static T[] Run<T>(int ranks, Func<Collective, T> part)
    {
        using var meeting = new Meeting(ranks);
        var results = new T[ranks];
        ExceptionDispatchInfo? first = null;
        var threads = Enumerable.Range(0, ranks).Select(rank => new Thread(() =>
        {
            var collective = new ThreadCollective(meeting, rank);
            try
            {
                results[rank] = part(collective);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref first, ExceptionDispatchInfo.Capture(e), null);
                collective.Abort(1);
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        first?.Throw();
        return results;
    }

    public override long Least(long value) => _meeting.Exchange(Rank, "least", [value]).Min(v => v[0]);

    public override void Abort(int exitCode) => _meeting.End();

    internal override bool Serves(Device device) => true;

    private protected override void AverageOver(Tensor tensor)
    {
        var values = _meeting.Exchange(Rank, "average", Samples.Read(tensor));
        float[] sum = new float[tensor.Count];
        foreach (float[] rank in values)
        {
            TensorPrimitives.Add<float>(sum, rank, sum);
        }

        TensorPrimitives.Divide(sum, Ranks, sum);
        tensor.CopyFrom(sum);
    }

    private protected override void GatherFrom(Tensor own, Tensor all) =>
        all.CopyFrom(_meeting.Exchange(Rank, "gather", Samples.Read(own)).SelectMany(v => v).ToArray());

    private protected override void ExchangeBytes(ReadOnlySpan<byte> own, Span<byte> all) =>
        _meeting.Exchange(Rank, "exchange", own.ToArray()).SelectMany(v => v).ToArray().CopyTo(all);

    private sealed class Meeting(int ranks) : IDisposable
    {
        private readonly Barrier _barrier = new(ranks);
        private readonly CancellationTokenSource _ended = new();
        private readonly Array[] _values = new Array[ranks];
        private readonly string[] _calls = new string[ranks];

        public int Ranks => ranks;

        public T[][] Exchange<T>(int rank, string call, T[] values)
        {
            (_values[rank], _calls[rank]) = (values, $"{call} of {values.Length}");
            Wait();
            if (_calls.Distinct().Skip(1).Any())
            {
                throw new ShapeException($"The ranks call {string.Join(", ", _calls)}.");
            }

            T[][] all = [.. _values.Cast<T[]>()];
            Wait(); // Nobody writes before all have read.
            return all;
        }

        public void End() => _ended.Cancel();

        public void Dispose()
        {
            _barrier.Dispose();
            _ended.Dispose();
        }

        private void Wait() => _barrier.SignalAndWait(_ended.Token);
    }
}
