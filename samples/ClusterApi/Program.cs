using ClusterApi;
using Microsoft.AspNetCore.RateLimiting;

var builder = WebApplication.CreateSlimBuilder(args);
var limits = builder.Configuration.GetSection("Limits").Get<Limits>() ?? new Limits();
builder.WebHost.ConfigureKestrel(server => server.Limits.MaxRequestBodySize = limits.BodyBytes);
builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ClusterJson.Default));
builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
builder.Services.AddProblemDetails(problems => problems.CustomizeProblemDetails = it => it.ProblemDetails.Detail ??= Problems.Sentence(it.ProblemDetails.Status));
builder.Services.AddExceptionHandler<Problems>();
builder.Services.AddHealthChecks();
builder.Services.AddRateLimiter(rates =>
{
    rates.RejectionStatusCode = StatusCodes.Status503ServiceUnavailable;
    rates.AddConcurrencyLimiter("clustering", queue => (queue.PermitLimit, queue.QueueLimit) = (limits.Concurrent, limits.Waiting));
});

var app = builder.Build();
app.UseExceptionHandler();
app.UseStatusCodePages();
app.UseRateLimiter();
app.MapHealthChecks("/health");

// The token is cancelled when the client goes away: the engine looks at it several times a second, and the exception handler ends the request.
app.MapPost("/cluster", (ClusterRequest request, CancellationToken cancellation) => Clustering.Run(request, limits, cancellation))
    .RequireRateLimiting("clustering");
app.Run();
