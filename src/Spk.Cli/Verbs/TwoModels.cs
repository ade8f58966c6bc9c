using System.CommandLine;
using Spk.Cli.Terminal;
using Spk.Engine.Models;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training;
using Spk.Training.Data;

namespace Spk.Cli.Verbs;

/// <summary>An old and a new model and what they make of the same utterances: what 'spk align train' and 'spk align eval' share.</summary>
internal sealed class TwoModels
{
    private readonly Argument<string> _old = new("OLD") { Description = "The model that made the profiles: run folder, checkpoint or model file." };
    private readonly Argument<string> _new = new("NEW") { Description = "The model at runtime: run folder, checkpoint or model file." };
    private readonly Option<string> _oldEmbeddings = Stored("--old-embeddings", "OLD");
    private readonly Option<string> _newEmbeddings = Stored("--new-embeddings", "NEW");
    private readonly Option<bool> _resample = CommonOptions.Resample();
    private readonly Option<string> _channels = CommonOptions.Channels();

    public TwoModels(Command verb)
    {
        verb.Arguments.Add(_old);
        verb.Arguments.Add(_new);
        foreach (Option option in new Option[] { _oldEmbeddings, _newEmbeddings, _resample, _channels })
        {
            verb.Options.Add(option);
        }
    }

    /// <summary>Embeds utterances with both models, or reads what is stored.</summary>
    /// <param name="options">The parsed command line.</param>
    /// <param name="context">Progress and device.</param>
    /// <param name="utterances">Asked for where one of the models has to embed.</param>
    public (Embedded Old, Embedded New) Embed(ParseResult options, CommandContext context, Func<IReadOnlyList<Utterance>> utterances)
    {
        var files = new CorpusOptions { Channels = CommonOptions.ToChannelPolicy(options.GetValue(_channels)), Resample = options.GetValue(_resample) };
        var wanted = new Lazy<IReadOnlyList<Utterance>>(utterances);
        return (Embed(options.GetRequiredValue(_old), options.GetValue(_oldEmbeddings)), Embed(options.GetRequiredValue(_new), options.GetValue(_newEmbeddings)));

        Embedded Embed(string path, string? stored)
        {
            using var device = context.OpenDevice();
            var model = SpeakerModel.Load(path, device);
            var table = stored is not null
                ? EmbeddingTable.Load(stored)
                : WorkDisplay.Run(context, $"embedding with {path}", progress => EmbeddingExtractor.Run(model, wanted.Value, files, progress, context.Stop));
            return table.Dimension == model.EmbeddingSize
                ? new Embedded(path, model.ComputeIdentity(), table)
                : throw new DataFormatException($"{stored} holds embeddings of size {table.Dimension}, {path} makes them of size {model.EmbeddingSize}: they are of another model.");
        }
    }

    private static Option<string> Stored(string name, string model) => new(name)
    {
        Description = $"What {model} made of the utterances (X.npy, X.ark, X.scp), in place of their audio.",
        HelpName = "FILE",
    };

    /// <summary>A model and its embeddings.</summary>
    /// <param name="Path">The model.</param>
    /// <param name="Identity">Its identity.</param>
    /// <param name="Table">Its embeddings.</param>
    public sealed record Embedded(string Path, string Identity, EmbeddingTable Table);
}
