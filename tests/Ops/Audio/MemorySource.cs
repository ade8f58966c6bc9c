using Spk.Engine.Audio;

namespace Spk.Tests.Ops.Audio;

/// <summary>Utterances in pinned arrays.</summary>
internal sealed class MemorySource : PcmSource
{
    private readonly short[][] _utterances;

    public MemorySource(params short[][] utterances)
    {
        _utterances = [.. utterances.Select(u =>
        {
            var pinned = GC.AllocateArray<short>(u.Length, pinned: true);
            u.CopyTo(pinned, 0);
            return pinned;
        })];
    }

    public override int Count => _utterances.Length;

    public override ReadOnlySpan<short> Utterance(int index) => _utterances[index];
}
