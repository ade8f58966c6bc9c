using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Positives;

namespace Spk.Training.Recipes;

/// <summary>Opens what the data section of a recipe names.</summary>
internal static class RecipeCorpus
{
    /// <summary>The training corpus, development speakers included.</summary>
    public static Corpus Load(Recipe recipe, IProgress<DataProgress>? progress, CancellationToken cancellation)
    {
        var data = recipe.Data;
        if (data.Pack is null)
        {
            var manifest = Manifest.Load(Path.Combine(data.Root, data.Train), data.Root);
            return Corpus.Load(manifest, recipe.CorpusOptions, progress, cancellation);
        }

        string path = Path.Combine(data.Root, data.Pack);
        var corpus = Corpus.OpenPack(path);
        int wanted = recipe.Features.Spec.SampleRate;
        if (corpus.SampleRate != wanted)
        {
            int found = corpus.SampleRate;
            corpus.Dispose();
            throw new InvalidOptionException($"data.pack = {path} holds {found} Hz, features.sampleRate is {wanted} Hz: pack the corpus again at that rate.");
        }

        return corpus;
    }

    /// <summary>The speakers that are held back, or null.</summary>
    public static DevelopmentSplit? Development(Recipe recipe, Corpus corpus) => recipe.Data.DevSpeakers > 0
        ? DevelopmentSplit.Create(corpus.Utterances, recipe.Data.DevSpeakers, recipe.Training.Seed, recipe.Evaluation.DevPairs)
        : null;

    /// <summary>What changes the crops, or null where the recipe changes nothing.</summary>
    public static Augmenter? Augmenter(Recipe recipe, Device device, Corpus corpus) => recipe.Data.Augmentation.IsIdentity
        ? null
        : new Augmenter(
            device, recipe.Data.Augmentation, corpus, DataSection.Samples(recipe.Data.CropSeconds, recipe.Features.Spec.SampleRate), recipe.Training.Seed, recipe.Data.Root,
            recipe.CorpusOptions);

    /// <summary>Indices of the utterances to train on: what the development speakers leave, within the recipe's limits.</summary>
    public static int[] Members(Recipe recipe, Corpus corpus, DevelopmentSplit? development)
    {
        int[] candidates = development is null ? [.. Enumerable.Range(0, corpus.Count)] : [.. development.Training];
        var data = recipe.Data;
        ulong seed = recipe.Training.Seed;
        if (SpeakerPart.Parse(data.SpeakerPart) is { } part)
        {
            candidates = [.. part.Choose([.. candidates.Select(i => corpus.Utterances[i])], seed).Select(i => candidates[i])];
        }

        return TrainingSubset.Choose(corpus, candidates, data.LimitSpeakers, data.LimitUtterances, seed);
    }

    /// <summary>Classes of the utterances, where a classifier is trained; else null.</summary>
    /// <exception cref="InvalidOptionException">The recipe has rounds that make its labels, and none are made: true speakers must not take their place.</exception>
    public static ClassLabels? Labels(Recipe recipe, Corpus corpus, IReadOnlyList<int> members)
    {
        if (recipe.Rounds.Count > 0 && recipe.Data.Labels.File is null)
        {
            throw new InvalidOptionException(
                $"rounds.count = {recipe.Rounds.Count}: the recipe trains on labels that its rounds make; run it with `spk pseudo-label MODEL RECIPE`, or set data.labels.file.");
        }

        return recipe.Objective.Kind == ObjectiveKind.Supervised
            ? ClassLabels.Make(recipe.Data.Labels, recipe.Data.Root, corpus, members, recipe.Training.Seed)
            : null;
    }

    /// <summary>The rows of the batches, where they are no utterances; else null.</summary>
    public static UtteranceGroups? Groups(Recipe recipe, Corpus corpus, IReadOnlyList<int> members)
    {
        var data = recipe.Data;
        return data.Rows switch
        {
            RowSource.Dialogues => UtteranceGroups.OfDialogues(Dialogues(data, corpus), corpus, members, data.Views),
            RowSource.Speakers => UtteranceGroups.OfSpeakers(corpus, members, data.Views),
            _ => null,
        };
    }

    /// <summary>The batches of every epoch.</summary>
    public static BatchSource Batches(
        Recipe recipe, Device device, Corpus corpus, Augmenter? augmenter, IReadOnlyList<int> utterances, UtteranceGroups? groups) => new(
        device,
        corpus,
        new BatchOptions
        {
            Batch = recipe.Training.Batch,
            Views = recipe.Data.Views,
            Samples = DataSection.Samples(recipe.Data.CropSeconds, recipe.Features.Spec.SampleRate),
            LocalViews = recipe.Data.LocalViews,
            LocalSamples = DataSection.Samples(recipe.Data.LocalSeconds, recipe.Features.Spec.SampleRate),
            ReferenceSamples = recipe.Ssps.Source == PositiveSource.SameUtterance
                ? 0
                : DataSection.Samples(recipe.Ssps.ReferenceSeconds, recipe.Features.Spec.SampleRate),
            Pairing = recipe.Data.Pairing,
            Sampling = recipe.Data.Sampler,
            Positives = recipe.Data.Positives,
            Groups = groups,
            Seed = recipe.Training.Seed,
        },
        augmenter,
        utterances);

    private static DialogueList Dialogues(DataSection data, Corpus corpus)
    {
        var list = DialogueList.Read(Path.Combine(data.Root, data.Dialogues), data.Root);

        // What the corpus lacks is found, and named, when the list meets the corpus.
        return data.DialogueGap > 0
            ? list.Build(data.DialogueGap, id => corpus.IndexOf(id) is >= 0 and int index ? (double)corpus.LengthOf(index) / corpus.SampleRate : 0)
            : list;
    }
}
