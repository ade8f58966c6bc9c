using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Spk.Interop;

namespace ClusterApi;

/// <summary>What went wrong, as problem details with one sentence: the field, the problem, the fix.</summary>
internal sealed class Problems : IExceptionHandler
{
    private const string Example = "send {\"vectors\": [[1, 2], [3, 4]], \"k\": 2}";

    /// <summary>The sentence of a status that the server itself gives.</summary>
    public static string? Sentence(int? status) => status switch
    {
        StatusCodes.Status404NotFound => "path: there is nothing here; use POST /cluster or GET /health.",
        StatusCodes.Status405MethodNotAllowed => "path: it is not for this HTTP method; use POST /cluster or GET /health.",
        StatusCodes.Status413PayloadTooLarge => "body: it is too large; send fewer or smaller vectors.",
        StatusCodes.Status415UnsupportedMediaType => "body: its type is not JSON; send it with Content-Type: application/json.",
        StatusCodes.Status503ServiceUnavailable => "server: too many requests are waiting; try again in a moment.",
        _ => null,
    };

    /// <inheritdoc/>
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        string? sentence = exception switch
        {
            SpkException => exception.Message,
            BadHttpRequestException { InnerException: JsonException json } => $"{Field(json)}: it is unknown or no JSON of the right kind; {Example}.",
            BadHttpRequestException => $"body: there is none; {Example}.",
            _ => null,
        };
        if (sentence is null)
        {
            return false;
        }

        await TypedResults.Problem(sentence, statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(context);
        return true;
    }

    private static string Field(JsonException json) => json.Path is { Length: > 2 } path ? path[2..] : "body";
}
