using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Tensor = Spk.Engine.Tensors.Tensor;

namespace Spk.Tests.Clustering;

/// <summary>One process that counts how often the host waits for its device.</summary>
internal sealed class CountedWaits : Collective
{
    public int Count { get; private set; }

    public override int Rank => 0;

    public override int Ranks => 1;

    public override long Least(long value) => value;

    public override void Abort(int exitCode)
    {
    }

    internal override bool Serves(Device device) => true;

    internal override void BeginWait() => Count++;

    private protected override void AverageOver(Tensor tensor)
    {
    }

    private protected override void GatherFrom(Tensor own, Tensor all)
    {
    }

    private protected override void ExchangeBytes(ReadOnlySpan<byte> own, Span<byte> all)
    {
    }
}
