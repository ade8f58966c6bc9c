using System.Globalization;
using Spk.Interop;

namespace VerifyConsole;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    public const string Usage =
        """
        usage: VerifyConsole MODEL COMMAND [options]
          enrol NAME FILE.wav ...   makes a speaker's profile from one or more recordings
          verify NAME FILE.wav      is this the speaker? Exit status 0 for yes, 3 for no
          identify FILE.wav         the nearest of all profiles
          remove NAME               forgets a speaker
          list                      who is enrolled
        options:
          --profiles FILE           where profiles are kept (profiles.spk)
          --threshold X             smallest cosine that is accepted; default: calibration.json beside the model
          --top N                   how many speakers 'identify' lists (5)
        MODEL is a run folder, a checkpoint or a model file of spk. Any WAV file will do.
        """;

    public bool Help { get; private init; }

    public string Model { get; private init; } = "";

    public string Command { get; private init; } = "";

    /// <summary>What follows the command.</summary>
    public IReadOnlyList<string> Rest { get; private init; } = [];

    public string Profiles { get; private init; } = "profiles.spk";

    public double? Threshold { get; private init; }

    public int Top { get; private init; } = 5;

    public static Arguments Parse(string[] args)
    {
        var parsed = new Arguments();
        var words = new List<string>();
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            string Value() => ++i < args.Length ? args[i] : throw new InvalidOptionException($"{name} needs a value; --help shows which.");
            switch (name)
            {
                case "-h" or "--help":
                    return parsed with { Help = true };
                case "--profiles":
                    parsed = parsed with { Profiles = Value() };
                    break;
                case "--threshold":
                    parsed = parsed with { Threshold = Number(name, Value(), -1, 1) };
                    break;
                case "--top":
                    parsed = parsed with { Top = (int)Number(name, Value(), 1, 1000) };
                    break;
                case ['-', ..]:
                    throw new InvalidOptionException($"unknown option {name}; --help shows all.");
                default:
                    words.Add(name);
                    break;
            }
        }

        if (words.Count < 2)
        {
            throw new InvalidOptionException("a model and a command are needed; --help shows how.");
        }

        parsed = parsed with { Model = words[0], Command = words[1], Rest = words[2..] };
        int count = parsed.Rest.Count;
        bool complete = parsed.Command switch
        {
            "enrol" => count >= 2,
            "verify" => count == 2,
            "identify" or "remove" => count == 1,
            "list" => count == 0,
            _ => throw new InvalidOptionException($"unknown command '{parsed.Command}'; --help shows all."),
        };
        return complete ? parsed : throw new InvalidOptionException(parsed.Command switch
        {
            "enrol" => "enrol: a name and one or more recordings are needed, as in: enrol alice a1.wav a2.wav.",
            "verify" => "verify: a name and one recording are needed, as in: verify alice a3.wav.",
            "list" => "list: nothing goes with it.",
            _ => $"{parsed.Command}: one argument is needed, {count} were given; --help shows which.",
        });
    }

    private static double Number(string name, string text, double least, double most) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= least && value <= most
            ? value
            : throw new InvalidOptionException($"{name} {text}: a number from {least} to {most} is needed.");
}
