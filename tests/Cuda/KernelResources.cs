using System.Globalization;
using System.Text.RegularExpressions;

namespace Spk.Tests.Cuda;

/// <summary>What the assembler says a kernel needs (<c>--ptxas-options=-v</c>).</summary>
/// <param name="Kernel">Its name.</param>
/// <param name="Registers">Registers of a thread.</param>
/// <param name="StackBytes">Stack of a thread: an array that is indexed by a variable lies there, unspilt but just as slow.</param>
/// <param name="SpillBytes">Stores and loads of registers that did not fit.</param>
/// <param name="SharedBytes">Static shared memory of a block.</param>
internal sealed partial record KernelResources(string Kernel, int Registers, int StackBytes, int SpillBytes, int SharedBytes)
{
    /// <summary>Reads the log of a compilation, one record for each kernel.</summary>
    public static IReadOnlyList<KernelResources> Parse(string log)
    {
        var kernels = new List<KernelResources>();
        foreach (Match match in Entry().Matches(log))
        {
            int Number(string group) => match.Groups[group].Success ? int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture) : 0;
            kernels.Add(new(match.Groups["name"].Value, Number("registers"), Number("stack"), Number("stores") + Number("loads"), Number("shared")));
        }

        return kernels;
    }

    [GeneratedRegex(
        @"Compiling entry function '(?<name>\w+)' for '\w+'.*?(?<stack>\d+) bytes stack frame, (?<stores>\d+) bytes spill stores, (?<loads>\d+) bytes spill loads.*?Used (?<registers>\d+) registers(?:[^\n]*?\b(?<shared>\d+) bytes smem)?",
        RegexOptions.Singleline)]
    private static partial Regex Entry();
}
