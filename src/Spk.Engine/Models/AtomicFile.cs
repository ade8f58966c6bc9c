using System.Globalization;
using System.Text;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>
/// A file that appears complete or not at all: content goes to a temporary file in the same folder, is forced to the disk,
/// and takes the place of the old file by a rename. A crash, a full disk or an exception leaves the old file as it was.
/// </summary>
/// <remarks>
/// Use <see cref="Write"/>; or <see cref="Create"/>, write to <see cref="Stream"/>, <see cref="Commit"/>, dispose. Paths under
/// <c>/dev</c> (a pipe, <c>/dev/stdout</c>) are written to directly, since a rename would replace the device. A symbolic link
/// stays a link: the file it points to is replaced.
/// </remarks>
public sealed class AtomicFile : IDisposable
{
    private static long _serial;

    private readonly string _path;
    private readonly string _target;
    private readonly string? _temporary;
    private readonly FileStream _stream;
    private bool _committed;

    private AtomicFile(string path)
    {
        _path = path;
        _target = Path.GetFullPath(path);
        bool device = !OperatingSystem.IsWindows() && _target.StartsWith("/dev/", StringComparison.Ordinal)
            && !_target.StartsWith("/dev/shm/", StringComparison.Ordinal);
        try
        {
            if (device)
            {
                _stream = new FileStream(_target, FileMode.Open, FileAccess.Write);
                return;
            }

            if (File.Exists(_target) && File.ResolveLinkTarget(_target, returnFinalTarget: true) is { } link)
            {
                _target = link.FullName;
            }

            if (Directory.Exists(_target))
            {
                throw new SpkException($"cannot write {path}: it is a folder; name a file.");
            }

            string folder = Path.GetDirectoryName(_target)!;
            Directory.CreateDirectory(folder);
            string serial = Interlocked.Increment(ref _serial).ToString(CultureInfo.InvariantCulture);
            _temporary = Path.Combine(folder, $".{Path.GetFileName(_target)}.{Environment.ProcessId}-{serial}.tmp");
            _stream = new FileStream(_temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Failure(error);
        }
    }

    /// <summary>Where the content goes. A write to it can throw <see cref="IOException"/>: pass that to <see cref="Failure"/>.</summary>
    public Stream Stream => _stream;

    /// <summary>Opens the temporary file, making the folder where it is missing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <returns>The open file; dispose it.</returns>
    /// <exception cref="SpkException">The folder cannot be made or written to.</exception>
    public static AtomicFile Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new AtomicFile(path);
    }

    /// <summary>Writes a whole file, all or nothing.</summary>
    /// <param name="path">The file to replace or make; its folder is made where it is missing.</param>
    /// <param name="content">Writes the content; whatever it throws, the old file stays as it was.</param>
    /// <exception cref="SpkException">The file cannot be written; the message names the path and the cause.</exception>
    public static void Write(string path, Action<Stream> content)
    {
        ArgumentNullException.ThrowIfNull(content);
        using var file = Create(path);
        try
        {
            content(file.Stream);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw file.Failure(error);
        }

        file.Commit();
    }

    /// <summary>Writes a text file in UTF-8 without byte order mark, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <param name="text">The content.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Writes lines of text in UTF-8, each ended by a line feed, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <param name="lines">The lines without their ends.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public static void WriteLines(string path, IEnumerable<string> lines) => Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        foreach (string line in lines)
        {
            writer.WriteLine(line);
        }
    });

    /// <summary>Forces the content to the disk and puts it in the place of the old file.</summary>
    /// <exception cref="SpkException">The disk is full or fails; the old file is untouched.</exception>
    public void Commit()
    {
        try
        {
            if (_temporary is null)
            {
                _stream.Dispose();
                _committed = true;
                return;
            }

            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(_temporary, _target, overwrite: true);
            _committed = true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Failure(error);
        }

        // The rename itself must reach the disk too. Where that cannot be asked for, the file system does it in its own time.
        DirectorySync.TryFlush(Path.GetDirectoryName(_target)!);
    }

    /// <summary>Turns a failed write into one sentence that names the file, the cause and what to do.</summary>
    /// <param name="error">What the write threw.</param>
    /// <returns>The exception to throw.</returns>
    public SpkException Failure(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        string old = _temporary is not null && File.Exists(_target) ? " The file that was there is unchanged." : "";
        string cause = error switch
        {
            UnauthorizedAccessException => "permission is denied; choose a folder you may write to.",
            _ when IsDiskFull(error) => "the disk is full; free some space or choose another disk.",
            _ => error.Message.TrimEnd('.') + "; choose another place.",
        };
        return new SpkException($"cannot write {_path}: {cause}{old}", error);
    }

    /// <summary>Closes the file; without <see cref="Commit"/> the temporary file is removed and the old file stays.</summary>
    public void Dispose()
    {
        if (_committed)
        {
            return;
        }

        try
        {
            // The buffer may hold bytes that a full disk refuses once more: what is thrown away need not arrive.
            _stream.Dispose();
        }
        catch (IOException)
        {
        }

        if (_temporary is not null)
        {
            try
            {
                File.Delete(_temporary);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // An exception is on its way already, and says why the write failed.
            }
        }
    }

    /// <summary>ENOSPC (28) and EDQUOT (122 on Linux, 69 on macOS), or their Windows counterparts.</summary>
    private static bool IsDiskFull(Exception error) => OperatingSystem.IsWindows()
        ? (error.HResult & 0xFFFF) is 0x27 or 0x70
        : error.HResult is 28 or 122 or 69;
}
