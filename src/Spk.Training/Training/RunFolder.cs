using Spk.Interop;

namespace Spk.Training;

/// <summary>The files of one run.</summary>
public sealed class RunFolder
{
    /// <summary>Names the files; nothing is created.</summary>
    /// <param name="path">The run's folder.</param>
    public RunFolder(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Path = path;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The fully resolved recipe, recipe.yaml.</summary>
    public string Recipe => In("recipe.yaml");

    /// <summary>One JSON object a line: steps, evaluations, warnings.</summary>
    public string Log => In("log.jsonl");

    /// <summary>Folder of the checkpoints.</summary>
    public string Checkpoints => In("checkpoints");

    /// <summary>The newest checkpoint.</summary>
    public string Latest => In("checkpoints/latest.safetensors");

    /// <summary>The checkpoint before the newest.</summary>
    public string Previous => In("checkpoints/previous.safetensors");

    /// <summary>The checkpoint with the lowest development EER.</summary>
    public string Best => In("checkpoints/best.safetensors");

    /// <summary>Folder of the TensorBoard event files.</summary>
    public string TensorBoard => In("tensorboard");

    /// <summary>The self-contained report.</summary>
    public string Report => In("report.html");

    /// <summary>The last evaluation's figures.</summary>
    public string Evaluation => In("evaluation.json");

    /// <summary>Scores of the last evaluation, a trial a line.</summary>
    public string Scores => In("scores.txt");

    /// <summary>Whether there is something to resume.</summary>
    public bool HasCheckpoint => File.Exists(Latest) || File.Exists(Previous);

    /// <summary>Makes the folders and proves that files can be written there.</summary>
    /// <exception cref="SpkException">The folder cannot be made or written; the message says why.</exception>
    public void Create()
    {
        try
        {
            Directory.CreateDirectory(Checkpoints);
            string probe = In(".writable");
            File.WriteAllText(probe, "");
            File.Delete(probe);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SpkException($"Cannot write to the run folder {Path}: {e.Message} Choose another folder with --out.", e);
        }
    }

    /// <summary>Removes what an earlier run left: checkpoints, log, event files and results.</summary>
    internal void Clear()
    {
        foreach (string file in new[] { Latest, Previous, Best, In("checkpoints/next.safetensors"), Log, Report, Evaluation, Scores })
        {
            File.Delete(file);
        }

        if (Directory.Exists(TensorBoard))
        {
            Directory.Delete(TensorBoard, recursive: true);
        }
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
