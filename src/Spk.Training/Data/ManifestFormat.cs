namespace Spk.Training.Data;

/// <summary>Ways to list a corpus.</summary>
public enum ManifestFormat
{
    /// <summary>Recognise it: a folder with wav.scp is Kaldi's, another folder is a tree, a file's header tells the CSV kinds apart.</summary>
    Auto,

    /// <summary>CSV with a header: <c>path</c> and optionally <c>speaker</c>, <c>session</c>, <c>duration_s</c>.</summary>
    Csv,

    /// <summary>CSV of the sslsv toolkit: <c>File,Speaker</c>.</summary>
    Sslsv,

    /// <summary>Kaldi data directory: <c>wav.scp</c> and optionally <c>utt2spk</c>.</summary>
    Kaldi,

    /// <summary>Folder tree: the speaker is the first folder below the root.</summary>
    Tree,
}
