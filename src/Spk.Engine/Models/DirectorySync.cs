using System.Runtime.InteropServices;

namespace Spk.Engine.Models;

/// <summary>Forces a folder's entries to the disk: after a rename, POSIX promises nothing about them before that.</summary>
internal static partial class DirectorySync
{
    /// <summary>Flushes a folder; quietly does nothing where the system has no such call (Windows) or refuses it.</summary>
    public static void TryFlush(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // .NET opens files only, not folders.
        int descriptor = Open(folder, 0);
        if (descriptor >= 0)
        {
            _ = Synchronize(descriptor);
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Synchronize(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
