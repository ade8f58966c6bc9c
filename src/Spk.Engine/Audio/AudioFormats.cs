using System.Buffers;

namespace Spk.Engine.Audio;

/// <summary>Which files hold audio, and how to turn them into what is read.</summary>
public static class AudioFormats
{
    private static readonly HashSet<string> Extensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".wav", ".wave", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".aif", ".aiff", ".sph", ".wma",
    };

    private static readonly SearchValues<char> ShellCharacters = SearchValues.Create(" '\"()&;$`");

    /// <summary>Whether a file name has an extension that audio files have, readable here or not.</summary>
    /// <param name="path">A path; the file need not exist.</param>
    public static bool IsAudio(string path) => Extensions.Contains(Path.GetExtension(path));

    /// <summary>Whether a file name has the extension of the one format that is read: WAV.</summary>
    /// <param name="path">A path; the file need not exist.</param>
    public static bool IsWav(string path) =>
        Path.GetExtension(path) is { } extension
        && (extension.Equals(".wav", StringComparison.OrdinalIgnoreCase) || extension.Equals(".wave", StringComparison.OrdinalIgnoreCase));

    /// <summary>The command line that converts a file to mono 16 kHz WAV.</summary>
    /// <param name="path">The file to convert.</param>
    /// <returns>An ffmpeg call, ready to paste into a shell.</returns>
    public static string ConversionCommand(string path)
    {
        // A file that is already called .wav must not be overwritten while it is read.
        string output = IsWav(path) ? Path.ChangeExtension(path, null) + "-16k.wav" : Path.ChangeExtension(path, ".wav");
        return $"ffmpeg -i {Quote(path)} -ar 16000 -ac 1 {Quote(output)}";
    }

    private static string Quote(string path) =>
        path.AsSpan().ContainsAny(ShellCharacters) ? "'" + path.Replace("'", "'\\''", StringComparison.Ordinal) + "'" : path;
}
