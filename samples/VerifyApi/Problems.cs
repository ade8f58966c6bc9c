using Microsoft.AspNetCore.Diagnostics;
using Spk.Interop;

namespace VerifyApi;

/// <summary>What went wrong, as problem details with one sentence.</summary>
internal sealed class Problems(Limits limits) : IExceptionHandler
{
    /// <summary>The sentence of a status that the server itself gives.</summary>
    public static string? Sentence(int? status, Limits limits) => status switch
    {
        StatusCodes.Status404NotFound => "path: there is nothing here; use /speakers, /speakers/NAME, /speakers/NAME/verify or /identify.",
        StatusCodes.Status405MethodNotAllowed => "path: it is not for this HTTP method; use GET /speakers, PUT and DELETE /speakers/NAME, POST /speakers/NAME/verify and /identify.",
        StatusCodes.Status413PayloadTooLarge => $"body: it is larger than {limits.BodyBytes >> 20} MiB; send shorter or fewer recordings.",
        StatusCodes.Status503ServiceUnavailable => "server: too many requests are waiting; try again in a moment.",
        _ => null,
    };

    /// <inheritdoc/>
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        (int status, string? sentence) = exception switch
        {
            UnknownSpeakerException => (StatusCodes.Status404NotFound, exception.Message),
            SpkException => (StatusCodes.Status400BadRequest, exception.Message),
            BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => (StatusCodes.Status413PayloadTooLarge, Sentence(StatusCodes.Status413PayloadTooLarge, limits)),
            BadHttpRequestException or InvalidDataException => (StatusCodes.Status400BadRequest, $"body: {exception.Message}"),
            _ => (StatusCodes.Status500InternalServerError, null),
        };
        if (sentence is null)
        {
            return false;
        }

        await TypedResults.Problem(sentence, statusCode: status).ExecuteAsync(context);
        return true;
    }
}

/// <summary>Nobody of this name is enrolled.</summary>
internal sealed class UnknownSpeakerException(string id) : Exception($"speaker: nobody named '{id}' is enrolled; PUT /speakers/{Uri.EscapeDataString(id)} with recordings first.");
