namespace VerifyApi;

/// <summary>What one request, and all of them together, may take: section "Limits" of appsettings.json.</summary>
internal sealed record Limits
{
    /// <summary>Most bytes of a request.</summary>
    public long BodyBytes { get; init; } = 32 << 20;

    /// <summary>Longest recording, seconds.</summary>
    public double Seconds { get; init; } = 120;

    /// <summary>Most recordings of an enrolment.</summary>
    public int Recordings { get; init; } = 10;

    /// <summary>Most speakers.</summary>
    public int Speakers { get; init; } = 10_000;

    /// <summary>Most speakers that an identification lists.</summary>
    public int Top { get; init; } = 100;

    /// <summary>Requests computed at the same time, each by a copy of the model on one thread.</summary>
    public int Concurrent { get; init; } = 2;

    /// <summary>Requests that wait for their turn; more get 503.</summary>
    public int Waiting { get; init; } = 32;
}
