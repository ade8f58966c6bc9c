namespace ClusterApi;

/// <summary>What one request, and all of them together, may take: section "Limits" of appsettings.json.</summary>
internal sealed record Limits
{
    /// <summary>Most vectors of a request.</summary>
    public int Vectors { get; init; } = 50_000;

    /// <summary>Most numbers of a request, vectors times their size.</summary>
    public int Values { get; init; } = 10_000_000;

    /// <summary>Most vectors for method ahc, which keeps the distances of all pairs: 2 N² bytes.</summary>
    public int TreeVectors { get; init; } = 5000;

    /// <summary>Most bytes of a request's JSON.</summary>
    public long BodyBytes { get; init; } = 128 << 20;

    /// <summary>Requests computed at the same time, one thread each.</summary>
    public int Concurrent { get; init; } = 2;

    /// <summary>Requests that wait for their turn; more get 503.</summary>
    public int Waiting { get; init; } = 32;
}
