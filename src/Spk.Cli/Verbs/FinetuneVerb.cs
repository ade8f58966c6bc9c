using System.CommandLine;
using Spk.Training;

namespace Spk.Cli.Verbs;

/// <summary>Trains a pretrained encoder further, or the same architecture from scratch.</summary>
internal sealed class FinetuneVerb : Verb
{
    private readonly Argument<string> _model = new("MODEL") { Description = "Run folder, checkpoint or model file to start from; its features and encoder replace the recipe's." };
    private readonly Option<bool> _scratch = new("--scratch") { Description = "The baseline: MODEL's architecture with random weights, all of it trained." };
    private readonly TrainingOptions _training = new();

    public FinetuneVerb() : base("finetune", "Train a pretrained encoder on few labelled speakers: GE2E, AAM or any recipe without momentum encoder.")
    {
        Arguments.Add(_model);
        _training.AddTo(this);
        Options.Add(_scratch);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk finetune runs/dialogues recipes/openvoices-finetune-ge2e.yaml --set data.limitSpeakers=64 --out runs/tuned",
        "spk finetune runs/dialogues recipe.yaml --set finetune.freeze=encoder.frames finetune.encoderRate=0.1 --out runs/tuned",
        "spk finetune runs/dialogues recipe.yaml --scratch --out runs/scratch",
    ];

    /// <inheritdoc/>
    public override bool SharesWork => true;

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context)
    {
        var recipe = FineTuning.Of(_training.Load(options), options.GetRequiredValue(_model), options.GetValue(_scratch));
        return _training.Job(options, recipe).Run(context);
    }
}
