using System.Globalization;

namespace Spk.Training.Benchmarks;

/// <summary>How long the threads of this process could have run and got no processor, because others had them.</summary>
internal sealed class ProcessorWait
{
    private const string Threads = "/proc/self/task";

    private readonly Dictionary<string, double> _before = Read();

    /// <summary>Seconds since this was made, of all threads that still live; 0 where the system does not tell.</summary>
    public double Seconds() => Read().Sum(now => now.Value - _before.GetValueOrDefault(now.Key));

    // By the thread's number.
    private static Dictionary<string, double> Read()
    {
        var seconds = new Dictionary<string, double>();
        if (!Directory.Exists(Threads))
        {
            return seconds;
        }

        foreach (string thread in Directory.EnumerateDirectories(Threads))
        {
            try
            {
                // Time on a processor, time waiting for one, number of turns.
                string[] fields = File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ');
                seconds[thread] = fields.Length > 1 && double.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out double waited) ? 1e-9 * waited : 0;
            }
            catch (IOException)
            {
                // A thread that has ended meanwhile.
            }
        }

        return seconds;
    }
}
