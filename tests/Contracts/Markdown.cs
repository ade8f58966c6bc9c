using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>Reads what documentation says in code.</summary>
internal static class Markdown
{
    /// <summary>The fenced blocks of a language, in order, without their fences.</summary>
    public static IEnumerable<string> Blocks(string file, string language)
    {
        List<string>? block = null;
        foreach (string line in File.ReadLines(Repository.Path(file)))
        {
            if (line.Trim() == "```" + language)
            {
                block = [];
            }
            else if (line.StartsWith("```", StringComparison.Ordinal))
            {
                if (block is not null)
                {
                    yield return string.Join('\n', block);
                }

                block = null;
            }
            else
            {
                block?.Add(line);
            }
        }
    }
}
