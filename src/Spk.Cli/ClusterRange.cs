using System.Globalization;

namespace Spk.Cli;

/// <summary>Numbers of clusters to try: "2-40", "50-500:50", "8,16,32", or several of these joined by commas.</summary>
internal static class ClusterRange
{
    /// <summary>Reads a list; each number is 1 or more, in the order given.</summary>
    public static bool TryParse(string text, out int[] clusters)
    {
        var numbers = new List<int>();
        foreach (string part in text.Split(','))
        {
            string[] step = part.Split(':'), ends = step[0].Split('-');
            if (!Number(ends[0], out int from) || !Number(ends[^1], out int to) || !Number(step.Length > 1 ? step[1] : "1", out int by)
                || ends.Length > 2 || step.Length > 2 || to < from)
            {
                clusters = [];
                return false;
            }

            for (long k = from; k <= to; k += by)
            {
                numbers.Add((int)k);
            }
        }

        clusters = [.. numbers.Distinct()];
        return true;
    }

    private static bool Number(string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= 1;
}
