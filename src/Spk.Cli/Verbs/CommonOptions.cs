using System.CommandLine;
using System.Globalization;
using Spk.Engine.Audio;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>Options that several verbs share, each made anew because an option belongs to one command.</summary>
internal static class CommonOptions
{
    public static Option<string> Data(string description = "Folder that the paths of manifests and trials start from.") =>
        new("--data") { Description = description, HelpName = "DIR" };

    public static Option<string> Trials(string description, bool required = false) =>
        new("--trials") { Description = description, HelpName = "FILE", Required = required };

    public static Option<string> Out(string description, string helpName, bool required = true) =>
        new("--out") { Description = description, HelpName = helpName, Required = required };

    /// <summary>One of a few words; the first where nothing is said.</summary>
    public static Option<string> Choice(string name, string description, params string[] words)
    {
        var option = OptionalChoice(name, description, words);
        option.DefaultValueFactory = _ => words[0];
        return option;
    }

    /// <summary>One of a few words, or nothing.</summary>
    public static Option<string> OptionalChoice(string name, string description, params string[] words)
    {
        var option = new Option<string>(name) { Description = description, HelpName = string.Join('|', words) };
        option.AcceptOnlyFromAmong(words);
        return option;
    }

    /// <summary>A whole number with a standard value.</summary>
    public static Option<int> Number(string name, string description, int standard, string helpName = "N") =>
        new(name) { Description = description, HelpName = helpName, DefaultValueFactory = _ => standard };

    public static Option<string[]> Set(string description) => new("--set")
    {
        Description = description,
        HelpName = "key=value",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>The first value of <see cref="Set"/> that is no assignment.</summary>
    public static string? WrongAssignment(string[]? assignments) => assignments?.FirstOrDefault(s => !s.Contains('=', StringComparison.Ordinal));

    public static Option<int> SampleRate() => new("--sample-rate")
    {
        Description = "Sample rate that every file must have, in Hz.",
        HelpName = "HZ",
        DefaultValueFactory = _ => 16000,
    };

    public static Option<bool> Resample() => new("--resample")
    {
        Description = "Accept other sample rates and resample; without it they are an error.",
    };

    public static Option<string> Channels()
    {
        var option = new Option<string>("--channels")
        {
            Description = "What to do with several channels: mono (refuse them), first, or mean.",
            HelpName = "POLICY",
            DefaultValueFactory = _ => "mono",
        };
        option.AcceptOnlyFromAmong("mono", "first", "mean");
        return option;
    }

    public static Option<string> Format()
    {
        var option = new Option<string>("--format")
        {
            Description = "How to read a manifest: auto, csv, sslsv, kaldi or tree (speaker = first folder).",
            HelpName = "KIND",
            DefaultValueFactory = _ => "auto",
        };
        option.AcceptOnlyFromAmong("auto", "csv", "sslsv", "kaldi", "tree");
        return option;
    }

    public static Option<string> GroupBy() => new("--group-by")
    {
        Description = "Regular expression on the enrolment id; its first group names the group of a trial. Default: leading letters of the speaker's folder.",
        HelpName = "REGEX",
    };

    public static ChannelPolicy ToChannelPolicy(string? name) => name switch
    {
        "first" => ChannelPolicy.First,
        "mean" => ChannelPolicy.Mean,
        _ => ChannelPolicy.RequireMono,
    };

    public static ManifestFormat ToManifestFormat(string? name) => Enum.Parse<ManifestFormat>(name ?? "auto", ignoreCase: true);

    /// <summary>Refuses a value.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="option">The option.</param>
    /// <param name="valid">Whether a value can be taken.</param>
    /// <param name="allowed">What it takes, in words.</param>
    /// <exception cref="InvalidOptionException">The value is not valid.</exception>
    public static void Require<T>(ParseResult options, Option<T> option, Func<T?, bool> valid, string allowed)
    {
        if (options.GetValue(option) is var value && !valid(value))
        {
            throw new InvalidOptionException(string.Create(CultureInfo.InvariantCulture, $"{option.Name} takes {allowed}, not '{value}'."));
        }
    }

    /// <summary>A file named on the command line: as it stands, or inside the data folder when only that exists.</summary>
    public static string Find(string path, string? data)
    {
        if (data is null || Path.Exists(path))
        {
            return path;
        }

        string inside = Path.Combine(data, path);
        return Path.Exists(inside) ? inside : path;
    }

    /// <summary>Makes the folder of a file that is about to be written, before hours of work depend on it.</summary>
    public static void RequireFolder(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SpkException($"Cannot write to the folder {folder}: {e.Message}", e);
        }
    }
}
