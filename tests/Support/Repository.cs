namespace Spk.Tests.Support;

/// <summary>Finds the repository's root from the test binaries.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Spk.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("Spk.slnx is in no folder above the test binaries.");
    }
}
