using System.Globalization;

namespace Spk.Training.Benchmarks;

/// <summary>How long this process could have run and got no processor, because others had them.</summary>
internal static class ProcessorWait
{
    /// <summary>Seconds so far, of all threads that live; 0 where the system does not tell.</summary>
    public static double Seconds()
    {
        if (!Directory.Exists("/proc/self/task"))
        {
            return 0;
        }

        double nanoseconds = 0;
        foreach (string thread in Directory.EnumerateDirectories("/proc/self/task"))
        {
            try
            {
                // Time on a processor, time waiting for one, number of turns.
                string[] fields = File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ');
                nanoseconds += fields.Length > 1 && double.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out double waited) ? waited : 0;
            }
            catch (IOException)
            {
                // A thread that has ended meanwhile.
            }
        }

        return 1e-9 * nanoseconds;
    }
}
