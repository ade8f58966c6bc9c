using Spk.Engine.Numerics;

namespace Spk.Training.Alignment;

/// <summary>
/// Batches of vectors, each the mean of one or several utterances of a speaker at unit length, the same utterances in both models: vector 1 of all
/// speakers, then vector 2 of all, and so on. A function of seed, epoch and number alone.
/// </summary>
internal sealed class AlignmentBatches
{
    private readonly AlignmentData _data;
    private readonly AlignmentSpec _spec;
    private readonly int[] _order, _member;

    public AlignmentBatches(AlignmentData data, AlignmentSpec spec)
    {
        (_data, _spec) = (data, spec);
        Speakers = Math.Min(spec.Speakers, data.Speakers.Count);
        _order = new int[data.Speakers.Count];
        _member = new int[data.Utterances.Max(u => u.Length)];
        Enrolment = new float[Rows * data.EnrolmentSize];
        Runtime = new float[Rows * data.RuntimeSize];

        // An epoch sees as many vectors as there are utterances.
        Count = Math.Max(1, (data.Count + (Rows / 2)) / Rows);
    }

    /// <summary>Speakers of a batch.</summary>
    public int Speakers { get; }

    /// <summary>Rows of a batch.</summary>
    public int Rows => Speakers * _spec.Vectors;

    /// <summary>Batches of an epoch.</summary>
    public int Count { get; }

    /// <summary>x of the present batch, unit rows.</summary>
    public float[] Enrolment { get; }

    /// <summary>y of the present batch, unit rows.</summary>
    public float[] Runtime { get; }

    /// <summary>Fills <see cref="Enrolment"/> and <see cref="Runtime"/>.</summary>
    public void Read(int epoch, int number)
    {
        // Speakers go round: consecutive batches of an epoch share none until all have had their turn.
        long first = (long)number * Speakers;
        for (int s = 0; s < Speakers; s++)
        {
            long place = first + s;
            if (s == 0 || place % _order.Length == 0)
            {
                Shuffle(epoch, (int)(place / _order.Length));
            }

            Fill(s, _order[place % _order.Length], new CounterRandom(_spec.Seed, RandomPurpose.Alignment, epoch, 1 + place));
        }
    }

    private void Shuffle(int epoch, int round)
    {
        for (int i = 0; i < _order.Length; i++)
        {
            _order[i] = i;
        }

        new CounterRandom(_spec.Seed, RandomPurpose.Alignment, epoch, -1 - round).Shuffle(_order);
    }

    private void Fill(int slot, int speaker, CounterRandom random)
    {
        int[] mine = _data.Utterances[speaker];
        var members = _member.AsSpan(0, mine.Length);
        mine.CopyTo(members);
        random.Shuffle(members);
        for (int v = 0; v < _spec.Vectors; v++)
        {
            // Every vector begins with another utterance while there are any.
            int start = v % members.Length;
            bool averages = random.NextFloat() < _spec.AveragedShare;
            int count = averages ? 1 + random.NextInt(Math.Min(_spec.Averaged, members.Length)) : 1;
            int row = (v * Speakers) + slot;
            Mean(_data.EnrolmentRows, _data.EnrolmentSize, members, start, count, Enrolment.AsSpan(row * _data.EnrolmentSize, _data.EnrolmentSize));
            Mean(_data.RuntimeRows, _data.RuntimeSize, members, start, count, Runtime.AsSpan(row * _data.RuntimeSize, _data.RuntimeSize));
        }
    }

    /// <summary>The mean of some unit rows, at unit length.</summary>
    internal static void Mean(ReadOnlySpan<float> rows, int size, ReadOnlySpan<int> members, int start, int count, Span<float> mean)
    {
        mean.Clear();
        for (int i = 0; i < count; i++)
        {
            System.Numerics.Tensors.TensorPrimitives.Add(mean, rows.Slice(members[(start + i) % members.Length] * size, size), mean);
        }

        float length = System.Numerics.Tensors.TensorPrimitives.Norm<float>(mean);
        System.Numerics.Tensors.TensorPrimitives.Divide(mean, Math.Max(length, 1e-12f), mean);
    }
}
