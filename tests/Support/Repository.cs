namespace Spk.Tests.Support;

/// <summary>Finds the repository's root from the test binaries.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    // From the test binaries upwards; a published bundle may lie elsewhere and is then started inside the repository.
    private static string Find() =>
        FindAbove(AppContext.BaseDirectory) ?? FindAbove(Environment.CurrentDirectory)
        ?? throw new InvalidOperationException("Spk.slnx is in no folder above the test binaries or the working directory.");

    private static string? FindAbove(string start)
    {
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Spk.slnx")))
            {
                return folder.FullName;
            }
        }

        return null;
    }
}
