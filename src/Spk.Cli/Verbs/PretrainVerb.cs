using System.CommandLine;

namespace Spk.Cli.Verbs;

/// <summary>Trains the encoder of a recipe.</summary>
internal sealed class PretrainVerb : Verb
{
    private readonly TrainingOptions _training = new();

    public PretrainVerb() : base("pretrain", "Train a speaker encoder from a recipe. Ctrl+C writes a checkpoint; --resume goes on from it. Processes that mpirun starts share every batch.") => _training.AddTo(this);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Examples =>
    [
        "spk pretrain recipes/openvoices-simclr-am.yaml --set data.root=corpus --out runs/am",
        "spk pretrain recipe.yaml --set data.root=corpus objective.margin=0.2 --seed 3 --out runs/am-3 --threads 2",
        "spk pretrain recipe.yaml --set data.root=corpus --out runs/am --resume",
        "mpirun -n 4 spk pretrain recipe.yaml --set data.root=corpus --out runs/am --device cpu",
    ];

    /// <inheritdoc/>
    public override bool SharesWork => true;

    /// <inheritdoc/>
    public override int Run(ParseResult options, CommandContext context) => _training.Job(options, _training.Load(options)).Run(context);
}
