using System.Runtime.InteropServices;

namespace Spk.Interop.Cuda;

/// <summary>Tries the names a CUDA library goes by, and keeps one line on each, for the message when none fits.</summary>
internal static class LibrarySearch
{
    /// <summary>Names to try in order: what the override variable says and nothing else, or the usual names, each also in a toolkit's folder.</summary>
    /// <param name="overrideVariable">Environment variable that names the library's file.</param>
    /// <param name="names">File names, newest version first.</param>
    public static IEnumerable<string> Candidates(string overrideVariable, string[] names)
    {
        if (Environment.GetEnvironmentVariable(overrideVariable) is { Length: > 0 } only)
        {
            return [only];
        }

        string[] folders = [.. ToolkitFolders().Where(Directory.Exists).Distinct()];
        return from name in names
               from candidate in (string[])[name, .. folders.Select(folder => Path.Combine(folder, name)).Where(File.Exists)]
               select candidate;
    }

    /// <summary>Loads one library; says why not where it fails.</summary>
    /// <param name="path">File name or path, as for the system's loader.</param>
    /// <param name="trace">Gets a line on failure.</param>
    /// <returns>The handle, or 0.</returns>
    public static nint TryLoad(string path, ICollection<string> trace)
    {
        try
        {
            return NativeLibrary.Load(path);
        }
        catch (DllNotFoundException e)
        {
            trace.Add($"{path}: {WhyNot(path, e)}");
        }
        catch (BadImageFormatException)
        {
            trace.Add($"{path}: not a library for this system");
        }

        return 0;
    }

    /// <summary>"Not found", or the loader's reason where the file is there.</summary>
    /// <param name="path">What was loaded.</param>
    /// <param name="error">What the loader said.</param>
    public static string WhyNot(string path, Exception error)
    {
        if (!File.Exists(path))
        {
            return "not found";
        }

        // After a general line, one for each spelling of the name that was tried; or the name of a library that this one needs.
        string[] lines = error.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string reason = lines.FirstOrDefault(line => line.StartsWith(path + ":", StringComparison.Ordinal))
            ?? lines.Skip(1).FirstOrDefault(line => !line.StartsWith(path, StringComparison.Ordinal)) ?? lines[0];
        return $"cannot be loaded ({reason})";
    }

    private static IEnumerable<string> ToolkitFolders()
    {
        string libraries = OperatingSystem.IsWindows() ? "bin" : "lib64";
        foreach (string variable in (string[])["CUDA_PATH", "CUDA_HOME"])
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } toolkit)
            {
                yield return Path.Combine(toolkit, libraries);
            }
        }

        if (!OperatingSystem.IsWindows())
        {
            yield return "/usr/local/cuda/lib64";
        }
    }
}
