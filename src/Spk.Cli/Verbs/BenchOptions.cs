using System.CommandLine;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Training.Benchmarks;

namespace Spk.Cli.Verbs;

/// <summary>Options that say what <c>spk bench</c> times, and how long: its own, and those of the processes that it starts.</summary>
internal sealed class BenchOptions
{
    private const string Budget = "--budget", Cold = "--cold", Arithmetic = "--precision";

    private readonly Argument<string[]> _cases = new("CASE")
    {
        Description = "Time cases that start with this: a name, or a name and sizes, such as 'sgemm [M 1024'; default: all. --list shows the names.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<double> _budget = new(Budget) { Description = "Seconds for each case.", HelpName = "S", DefaultValueFactory = _ => 1 };
    private readonly Option<bool> _cold = new(Cold) { Description = "Empty the caches before each call; without it they are as warm as repetition makes them." };
    private readonly Option<string> _precision = new(Arithmetic)
    {
        Description = "Arithmetic of products: fp32, tf32, bf16, several separated by commas; default: fp32, and all on a GPU.",
        HelpName = "KIND",
    };

    public BenchOptions(Command verb)
    {
        verb.Arguments.Add(_cases);
        verb.Options.Add(_budget);
        verb.Options.Add(_cold);
        verb.Options.Add(_precision);
    }

    /// <summary>Whether caches are emptied before each call.</summary>
    public bool IsCold(ParseResult options) => options.GetValue(_cold);

    /// <summary>What is asked for.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="context">Names the device.</param>
    /// <param name="isCpu">Whether that is a CPU.</param>
    /// <exception cref="InvalidOptionException">A precision is unknown.</exception>
    public BenchmarkOptions Read(ParseResult options, CommandContext context, bool isCpu) => new()
    {
        Cases = options.GetValue(_cases) ?? [],
        Device = context.Device,
        Threads = context.Threads,
        Precisions = Precisions(options.GetValue(_precision), isCpu),
        Budget = options.GetValue(_budget),
        Cold = IsCold(options),
    };

    /// <summary>What to type for this, read by <see cref="Read"/>.</summary>
    public static IEnumerable<string> Typed(BenchmarkOptions options) =>
    [
        .. options.Cases,
        GlobalOptions.Device.Name, options.Device,
        GlobalOptions.Threads.Name, FormattableString.Invariant($"{options.Threads}"),
        Arithmetic, string.Join(',', options.Precisions).ToLowerInvariant(),
        Budget, FormattableString.Invariant($"{options.Budget:R}"),
        .. options.Cold ? new[] { Cold } : [],
    ];

    private static Precision[] Precisions(string? text, bool isCpu)
    {
        if (text is null)
        {
            return isCpu ? [Precision.Fp32] : Enum.GetValues<Precision>();
        }

        return [.. text.Split(',').Select(word => Enum.TryParse<Precision>(word, ignoreCase: true, out var precision) && Enum.IsDefined(precision)
            ? precision
            : throw new InvalidOptionException($"--precision takes fp32, tf32 and bf16, not '{word}'."))];
    }
}
