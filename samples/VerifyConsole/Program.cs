using System.Globalization;
using Spk.Engine.Audio;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Scoring;
using Spk.Engine.Verification;
using Spk.Interop;
using VerifyConsole;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true;
    stop.Cancel();
};

string reading = "";
try
{
    var arguments = Arguments.Parse(args);
    if (arguments.Help)
    {
        Console.WriteLine(Arguments.Usage);
        return 0;
    }

    // One caller: a single context that uses all processors. A server leaves this out and gets a context for each.
    var options = new VerifierOptions { Contexts = 1, ThreadsPerContext = 0 };
    if (arguments.Threshold is { } threshold)
    {
        options = options with { Calibration = new Calibration { Scale = 1, Offset = -threshold, Threshold = threshold } };
    }

    using var verifier = SpeakerVerifier.Open(arguments.Model, arguments.Profiles, options);
    switch (arguments.Command)
    {
        case "enrol":
            var profile = verifier.Enroll(arguments.Rest[0], arguments.Rest.Skip(1).Select(Read), stop.Token);
            Console.WriteLine($"enrolled {profile.Id} from {profile.Recordings} recording{(profile.Recordings == 1 ? "" : "s")}; {verifier.Profiles.Count} in {arguments.Profiles}");
            return 0;
        case "verify":
            var answer = verifier.Verify(arguments.Rest[0], Read(arguments.Rest[1]).Span, stop.Token);
            Console.WriteLine($"{(answer.Accepted ? "accepted" : "rejected")}: score {answer.Score:F3}, threshold {answer.Threshold:F3}");
            return answer.Accepted ? 0 : 3;
        case "identify":
            foreach (var match in verifier.Identify(Read(arguments.Rest[0]).Span, arguments.Top, stop.Token))
            {
                Console.WriteLine($"{match.Score,7:F3}  {match.Id}");
            }

            return 0;
        case "remove":
            bool known = verifier.Profiles.Remove(arguments.Rest[0]);
            verifier.Profiles.Save();
            Console.WriteLine(known ? $"removed {arguments.Rest[0]}" : $"{arguments.Rest[0]} was not enrolled");
            return 0;
        default:
            foreach (string id in verifier.Profiles.Ids.Order(StringComparer.Ordinal))
            {
                Console.WriteLine(id);
            }

            return 0;
    }

    // Any rate and any number of channels become what the model was trained on.
    ReadOnlyMemory<float> Read(string path)
    {
        reading = path;
        var clip = WavFile.Read(path, ChannelPolicy.Mean);
        return clip.SampleRate == verifier.SampleRate ? clip.Samples : Resample.Run(clip.Samples, clip.SampleRate, verifier.SampleRate);
    }
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Stopped.");
    return 130;
}
catch (UnusableAudioException e)
{
    // The engine knows samples, not files; recordings are read one at a time, so it is the last one.
    Console.Error.WriteLine($"error: {reading}: {e.Message}");
    return 1;
}
catch (Exception e) when (e is SpkException or IOException or UnauthorizedAccessException)
{
    // What the engine throws is one sentence: the file, the problem, the fix.
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}
