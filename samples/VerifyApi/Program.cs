using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.RateLimiting;
using Spk.Engine.Verification;
using Spk.Interop;
using VerifyApi;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
var builder = WebApplication.CreateSlimBuilder(args);
var limits = builder.Configuration.GetSection("Limits").Get<Limits>() ?? new Limits();
SpeakerVerifier verifier;
try
{
    verifier = SpeakerVerifier.Open(
        builder.Configuration["Model"] ?? throw new InvalidOptionException("Model: none is named; start with --Model RUN, a run folder or a model file of spk."),
        builder.Configuration["Profiles"],
        new VerifierOptions { Contexts = limits.Concurrent });
}
catch (SpkException e)
{
    // A model or a store that cannot be used is for the operator to see at once, not for the first client.
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}

builder.WebHost.ConfigureKestrel(server => server.Limits.MaxRequestBodySize = limits.BodyBytes);
builder.Services.Configure<FormOptions>(form => form.MultipartBodyLengthLimit = limits.BodyBytes);
builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, AnswerJson.Default));
builder.Services.AddProblemDetails(problems => problems.CustomizeProblemDetails = it => it.ProblemDetails.Detail ??= Problems.Sentence(it.ProblemDetails.Status, limits));
builder.Services.AddSingleton(limits);
builder.Services.AddExceptionHandler<Problems>();
builder.Services.AddHealthChecks();
builder.Services.AddRateLimiter(rates =>
{
    rates.RejectionStatusCode = StatusCodes.Status503ServiceUnavailable;
    rates.AddConcurrencyLimiter("audio", queue => (queue.PermitLimit, queue.QueueLimit) = (limits.Concurrent, limits.Waiting));
});

using var running = verifier;
var app = builder.Build();
app.UseExceptionHandler();
app.UseStatusCodePages();
app.UseRateLimiter();
app.UseDefaultFiles();
app.UseStaticFiles();
app.MapHealthChecks("/health");
double? threshold = verifier.Calibration?.Threshold;

app.MapGet("/speakers", () => new SpeakersAnswer(verifier.Profiles.Ids.Order(StringComparer.Ordinal), threshold, verifier.ModelIdentity));

// The token is cancelled when the client goes away: waiting for a model and embedding then end.
app.MapPut("/speakers/{id}", async (string id, HttpRequest request, CancellationToken cancellation) =>
{
    if (verifier.Profiles.Count >= limits.Speakers && verifier.Profiles.Find(id) is null)
    {
        throw new InvalidOptionException($"speaker: {limits.Speakers} are enrolled, which is the limit; remove one first.");
    }

    var recordings = await Recordings.Read(request, verifier.SampleRate, limits.Recordings, limits, cancellation);
    var profile = verifier.Enroll(id, recordings, cancellation);
    return new EnrolledAnswer(profile.Id, profile.Recordings);
}).RequireRateLimiting("audio");

app.MapDelete("/speakers/{id}", (string id) =>
{
    if (!verifier.Profiles.Remove(id))
    {
        throw new UnknownSpeakerException(id);
    }

    if (verifier.Profiles.Path is not null)
    {
        verifier.Profiles.Save();
    }

    return TypedResults.NoContent();
});

app.MapPost("/speakers/{id}/verify", async (string id, HttpRequest request, CancellationToken cancellation) =>
{
    if (verifier.Profiles.Find(id) is null)
    {
        throw new UnknownSpeakerException(id);
    }

    var recording = (await Recordings.Read(request, verifier.SampleRate, 1, limits, cancellation))[0];
    float score = verifier.Score(id, recording.Span, cancellation);
    return new VerifiedAnswer(id, score, threshold is null ? null : score >= threshold, threshold);
}).RequireRateLimiting("audio");

app.MapPost("/identify", async (HttpRequest request, CancellationToken cancellation, int top = 5) =>
{
    if (top < 1 || top > limits.Top)
    {
        throw new InvalidOptionException($"top: {top} was given; use 1 to {limits.Top}.");
    }

    var recording = (await Recordings.Read(request, verifier.SampleRate, 1, limits, cancellation))[0];
    var matches = verifier.Identify(recording.Span, top, cancellation);
    return matches.Select(match => new MatchAnswer(match.Id, match.Score, threshold is null ? null : match.Score >= threshold)).ToArray();
}).RequireRateLimiting("audio");

app.Run();
return 0;
