using Spk.Engine.Clustering;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Optimization;
using Spk.Training.Positives;
using Spk.Training.PseudoLabelling;

namespace Spk.Training.Recipes;

/// <summary>The one description of every recipe field: its key, default and range. Used to read, write, compare and list recipes.</summary>
internal static class RecipeBinding
{
    private static readonly string[] EncoderKinds = ["tdnn", "ecapa", "resnet", "gru"];

    /// <summary>An encoder small enough for a first training on a CPU.</summary>
    public static EncoderSpec DefaultEncoder { get; } = new() { Width = 128, EmbeddingSize = 128 };

    public static Recipe Bind(IRecipeFields fields, Recipe recipe) => recipe with
    {
        Name = fields.Text("name", recipe.Name),
        Data = fields.Section("data", recipe.Data, Bind),
        Features = fields.Section("features", recipe.Features, Bind),
        Encoder = fields.Section("encoder", recipe.Encoder, Bind),
        Objective = fields.Section("objective", recipe.Objective, Bind),
        Ssps = fields.Section("ssps", recipe.Ssps, Bind),
        FineTune = fields.Section("finetune", recipe.FineTune, Bind),
        Rounds = fields.Section("rounds", recipe.Rounds, Bind),
        Optimizer = fields.Section("optimizer", recipe.Optimizer, Bind),
        Schedule = fields.Section("schedule", recipe.Schedule, Bind),
        Training = fields.Section("training", recipe.Training, Bind),
        Evaluation = fields.Section("evaluation", recipe.Evaluation, Bind),
    };

    private static DataSection Bind(IRecipeFields fields, DataSection data) => new()
    {
        Root = fields.Text("root", data.Root),
        Train = fields.Text("train", data.Train),
        Rows = fields.Choice("rows", data.Rows),
        Dialogues = fields.Text("dialogues", data.Dialogues),
        DialogueGap = fields.Number("dialogueGap", data.DialogueGap, 0.0, 86400.0),
        Pack = fields.OptionalText("pack", data.Pack),
        Channels = fields.Choice("channels", data.Channels),
        Resample = fields.Flag("resample", data.Resample),
        DevSpeakers = fields.Integer("devSpeakers", data.DevSpeakers, 0, int.MaxValue),
        CropSeconds = fields.Number("cropSeconds", data.CropSeconds, 0.05f, 60f),
        Views = fields.Integer("views", data.Views, 1, 16),
        LocalViews = fields.Integer("localViews", data.LocalViews, 0, 16),
        LocalSeconds = fields.Number("localSeconds", data.LocalSeconds, 0.05f, 60f),
        Pairing = fields.Choice("pairing", data.Pairing),
        Positives = fields.Choice("positives", data.Positives),
        Sampler = fields.Choice("sampler", data.Sampler),
        SpeakerPart = fields.OptionalText("speakerPart", data.SpeakerPart),
        LimitSpeakers = fields.Integer("limitSpeakers", data.LimitSpeakers, 0, int.MaxValue),
        LimitUtterances = fields.Integer("limitUtterances", data.LimitUtterances, 0, int.MaxValue),
        Labels = fields.Section("labels", data.Labels, Bind),
        Augmentation = fields.Section("augmentation", data.Augmentation, Bind),
    };

    private static LabelSpec Bind(IRecipeFields fields, LabelSpec labels) => new()
    {
        File = fields.OptionalText("file", labels.File),
        SmallestCluster = fields.Integer("smallestCluster", labels.SmallestCluster, 1, 1 << 24),
        NearestShare = fields.Number("nearestShare", labels.NearestShare, 0.01f, 1f),
        Noise = fields.Number("noise", labels.Noise, 0f, 1f),
    };

    private static AugmentationSpec Bind(IRecipeFields fields, AugmentationSpec augmentation) => new()
    {
        Noise = fields.OptionalText("noise", augmentation.Noise),
        Rir = fields.OptionalText("rir", augmentation.Rir),
        ReverbProbability = fields.Number("reverbProbability", augmentation.ReverbProbability, 0, 1),
        NoiseProbability = fields.Number("noiseProbability", augmentation.NoiseProbability, 0, 1),
        SnrMinimumDb = fields.Number("snrMinimumDb", augmentation.SnrMinimumDb, -30, 60),
        SnrMaximumDb = fields.Number("snrMaximumDb", augmentation.SnrMaximumDb, -30, 60),
        SpeechSnrMinimumDb = fields.Number("speechSnrMinimumDb", augmentation.SpeechSnrMinimumDb, -30, 60),
        SpeechSnrMaximumDb = fields.Number("speechSnrMaximumDb", augmentation.SpeechSnrMaximumDb, -30, 60),
        MusicSnrMinimumDb = fields.Number("musicSnrMinimumDb", augmentation.MusicSnrMinimumDb, -30, 60),
        MusicSnrMaximumDb = fields.Number("musicSnrMaximumDb", augmentation.MusicSnrMaximumDb, -30, 60),
        GainMinimumDb = fields.Number("gainMinimumDb", augmentation.GainMinimumDb, -40, 40),
        GainMaximumDb = fields.Number("gainMaximumDb", augmentation.GainMaximumDb, -40, 40),
        Speeds = fields.Numbers("speeds", augmentation.Speeds, 0.5f, 2f),
    };

    private static FeatureSection Bind(IRecipeFields fields, FeatureSection features)
    {
        // The preset is read first: it decides what the other fields are when they are absent.
        string preset = fields.Name("preset", features.Preset, FeatureSpec.PresetNames);
        var spec = preset == features.Preset ? features.Spec : FeatureSpec.Preset(preset);
        return new FeatureSection
        {
            Preset = preset,
            Spec = spec with
            {
                Flavor = fields.Choice("flavor", spec.Flavor),
                SampleRate = fields.Integer("sampleRate", spec.SampleRate, 1000, 384000),
                Bins = fields.Integer("bins", spec.Bins, 1, 512),
                FrameLengthMs = fields.Number("frameLengthMs", spec.FrameLengthMs, 1, 1000),
                FrameShiftMs = fields.Number("frameShiftMs", spec.FrameShiftMs, 0.1f, 1000),
                Window = fields.Choice("window", spec.Window),
                LowHz = fields.Number("lowHz", spec.LowHz, 0, 192000),
                HighHz = fields.Number("highHz", spec.HighHz, -192000, 192000),
                Scale = fields.Number("scale", spec.Scale, 1e-6f, 1e6f),
                Preemphasis = fields.Number("preemphasis", spec.Preemphasis, 0, 1),
                Dither = fields.Number("dither", spec.Dither, 0, 1000),
                RemoveMean = fields.Flag("removeMean", spec.RemoveMean),
                SnipEdges = fields.Flag("snipEdges", spec.SnipEdges),
                UsePower = fields.Flag("usePower", spec.UsePower),
                UseLog = fields.Flag("useLog", spec.UseLog),
                LogFloor = fields.Number("logFloor", spec.LogFloor, 1e-30f, 1),
                Normalization = fields.Choice("normalization", spec.Normalization),
            },
        };
    }

    private static EncoderSpec Bind(IRecipeFields fields, EncoderSpec encoder)
    {
        string kind = fields.Name("kind", encoder.Kind, EncoderKinds);
        var variant = fields.Choice("variant", encoder.Variant);

        // A width for frames is far too wide for maps: a recipe that changes only the kind to or from a ResNet gets that kind's own.
        bool sameMaps = (kind == "resnet") == (encoder.Kind == "resnet");
        int width = fields.Integer("width", sameMaps ? encoder.Width : new EncoderSpec { Kind = kind }.Width, 1, 16384);

        // The default of the last width follows kind, variant and width, so it is resolved only after them.
        var resolved = new EncoderSpec { Kind = kind, Variant = variant, Width = width };
        bool same = kind == encoder.Kind && variant == encoder.Variant && width == encoder.Width;
        return resolved with
        {
            LastWidth = fields.Integer("lastWidth", same ? encoder.LastWidth : resolved.LastWidth, 1, 65536),
            EmbeddingSize = fields.Integer("embeddingSize", encoder.EmbeddingSize, 1, 65536),
            Segment = fields.Flag("segment", encoder.Segment),
            Scale = fields.Integer("scale", encoder.Scale, 2, 64),
            Bottleneck = fields.Integer("bottleneck", encoder.Bottleneck, 1, 16384),
            Pooling = fields.Choice("pooling", encoder.Pooling),
            Layers = fields.Integer("layers", encoder.Layers, 1, 64),
        };
    }

    private static ObjectiveSpec Bind(IRecipeFields fields, ObjectiveSpec objective)
    {
        // The head is read first: it decides what scale and margin are when they are absent.
        var kind = fields.Choice("kind", objective.Kind);
        var head = fields.Section("head", objective.Head, Bind);
        bool same = head.Kind == objective.Head.Kind;
        return new ObjectiveSpec
        {
            Kind = kind,
            Head = head,
            Temperature = fields.Number("temperature", objective.Temperature, 0.001f, 10f),
            Symmetric = fields.Flag("symmetric", objective.Symmetric),
            MarginKind = fields.Choice("marginKind", objective.MarginKind),
            Margin = fields.Number("margin", same ? objective.Margin : HeadSpec.DefaultMargin(head.Kind), 0, 1),
            MarginCurve = fields.Choice("marginCurve", objective.MarginCurve),
            OracleMask = fields.Flag("oracleMask", objective.OracleMask),
            Scale = fields.Number("scale", same ? objective.Scale : HeadSpec.DefaultScale(head.Kind), 1, 1000),
            Mix = fields.Section("mix", objective.Mix, Bind),
            QueueSize = fields.Integer("queueSize", objective.QueueSize, 1, 1 << 24),
            KeyGroup = fields.Integer("keyGroup", objective.KeyGroup, 0, 65536),
            Momentum = fields.Section("momentum", objective.Momentum, Bind),
            Projector = fields.Section("projector", objective.Projector, Bind),
            Distill = fields.Section("distill", objective.Distill, Bind),
            Dialogue = fields.Section("dialogue", objective.Dialogue, Bind),
            Cola = fields.Section("cola", objective.Cola, Bind),
            Apc = fields.Section("apc", objective.Apc, Bind),
        };
    }

    private static HeadSpec Bind(IRecipeFields fields, HeadSpec head) => new()
    {
        Kind = fields.Choice("kind", head.Kind),
        TargetCosine = fields.Number("targetCosine", head.TargetCosine, -1f, 1f),
        OtherCosine = fields.Number("otherCosine", head.OtherCosine, -1f, 1f),
        TopNegatives = fields.Integer("topNegatives", head.TopNegatives, 0, 256),
        Concentration = fields.Number("concentration", head.Concentration, 0.001f, 100f),
        Rate = fields.Number("rate", head.Rate, 0.0001f, 1f),
        SubCentres = fields.Integer("subCentres", head.SubCentres, 1, 64),
        HardNegatives = fields.Integer("hardNegatives", head.HardNegatives, 0, 64),
        HardMargin = fields.Number("hardMargin", head.HardMargin, 0f, 1.5f),
    };

    private static MixSpec Bind(IRecipeFields fields, MixSpec mix) => new()
    {
        Kind = fields.Choice("kind", mix.Kind),
        Alpha = fields.Number("alpha", mix.Alpha, 0.01f, 100f),
    };

    private static ColaSpec Bind(IRecipeFields fields, ColaSpec cola) => new() { Outputs = fields.Integer("outputs", cola.Outputs, 1, 65536) };

    private static ApcSpec Bind(IRecipeFields fields, ApcSpec apc) => new() { Ahead = fields.Integer("ahead", apc.Ahead, 1, 1000) };

    private static MomentumSpec Bind(IRecipeFields fields, MomentumSpec momentum) => new()
    {
        Start = fields.Number("start", momentum.Start, 0, 1),
        Curve = fields.Choice("curve", momentum.Curve),
    };

    private static ProjectorSection Bind(IRecipeFields fields, ProjectorSection projector) => new()
    {
        Layers = fields.Integer("layers", projector.Layers, 0, 16),
        Hidden = fields.Integer("hidden", projector.Hidden, 1, 65536),
        Outputs = fields.Integer("outputs", projector.Outputs, 1, 65536),
    };

    private static DistillSpec Bind(IRecipeFields fields, DistillSpec distill) => new()
    {
        Hidden = fields.Integer("hidden", distill.Hidden, 1, 65536),
        Bottleneck = fields.Integer("bottleneck", distill.Bottleneck, 1, 65536),
        Prototypes = fields.Integer("prototypes", distill.Prototypes, 2, 1 << 24),
        StudentTemperature = fields.Number("studentTemperature", distill.StudentTemperature, 0.001f, 10f),
        TeacherTemperature = fields.Number("teacherTemperature", distill.TeacherTemperature, 0.001f, 10f),
        FirstTeacherTemperature = fields.Number("firstTeacherTemperature", distill.FirstTeacherTemperature, 0.001f, 10f),
        TemperatureEpochs = fields.Integer("temperatureEpochs", distill.TemperatureEpochs, 0, 100000),
        CentreMomentum = fields.Number("centreMomentum", distill.CentreMomentum, 0, 1),
        FrozenEpochs = fields.Integer("frozenEpochs", distill.FrozenEpochs, 0, 100000),
    };

    private static DialogueSpec Bind(IRecipeFields fields, DialogueSpec dialogue) => new()
    {
        Scale = fields.Number("scale", dialogue.Scale, 0.001f, 1000f),
        Offset = fields.Number("offset", dialogue.Offset, -1000f, 1000f),
        LearnScale = fields.Flag("learnScale", dialogue.LearnScale),
        Form = fields.Choice("form", dialogue.Form),
        Rejection = fields.Section("rejection", dialogue.Rejection, Bind),
    };

    private static RejectionSpec Bind(IRecipeFields fields, RejectionSpec rejection) => new()
    {
        Kind = fields.Choice("kind", rejection.Kind),
        Slope = fields.Number("slope", rejection.Slope, 0, 1000),
        Threshold = fields.Number("threshold", rejection.Threshold, -1, 1),
        Momentum = fields.Number("momentum", rejection.Momentum, 0, 1),
        Kept = fields.Number("kept", rejection.Kept, 0.01f, 1),
        Normalize = fields.Flag("normalize", rejection.Normalize),
        Warmup = fields.Number("warmup", rejection.Warmup, 0, 1),
    };

    private static PositiveSamplingSpec Bind(IRecipeFields fields, PositiveSamplingSpec ssps) => new()
    {
        Source = fields.Choice("source", ssps.Source),
        StartEpoch = fields.Integer("startEpoch", ssps.StartEpoch, 1, 100000),
        Clusters = fields.Integer("clusters", ssps.Clusters, 2, 1 << 24),
        Neighbours = fields.Integer("neighbours", ssps.Neighbours, 0, 1000),
        QueueSize = fields.Integer("queueSize", ssps.QueueSize, 1, 1 << 26),
        Iterations = fields.Integer("iterations", ssps.Iterations, 1, 10000),
        ReferenceSeconds = fields.Number("referenceSeconds", ssps.ReferenceSeconds, 0.05f, 60f),
        WholeCluster = fields.Flag("wholeCluster", ssps.WholeCluster),
        RankDecay = fields.Number("rankDecay", ssps.RankDecay, 0, 100),
    };

    private static FineTuneSection Bind(IRecipeFields fields, FineTuneSection section) => new()
    {
        Model = fields.OptionalText("model", section.Model),
        EncoderRate = fields.Number("encoderRate", section.EncoderRate, 0.0, 100.0),
        Freeze = fields.OptionalText("freeze", section.Freeze),
    };

    private static RoundsSection Bind(IRecipeFields fields, RoundsSection rounds) => new()
    {
        Count = fields.Integer("count", rounds.Count, 0, 1000),
        Model = fields.OptionalText("model", rounds.Model),
        Start = fields.Choice("start", rounds.Start),
        Clustering = new ClusteringSpec
        {
            Method = fields.Name("method", rounds.Clustering.Method, ClusteringMethods.Names),
            Clusters = fields.Integer("clusters", rounds.Clustering.Clusters, 2, 1 << 24),
            Normalization = fields.Choice("normalization", rounds.Clustering.Normalization),
            Restarts = fields.Integer("restarts", rounds.Clustering.Restarts, 1, 10_000),
            FirstClusters = fields.Integer("firstClusters", rounds.Clustering.FirstClusters, 0, 1 << 24),
            Views = fields.Integer("views", rounds.Clustering.Views, 0, 64),
            Network = fields.Section("network", rounds.Clustering.Network, Bind),
        },
    };

    private static CamsatOptions Bind(IRecipeFields fields, CamsatOptions network) => new()
    {
        HiddenWidth = fields.Integer("hiddenWidth", network.HiddenWidth, 1, 65536),
        Epochs = fields.Integer("epochs", network.Epochs, 1, 100000),
        BatchSize = fields.Integer("batchSize", network.BatchSize, 2, 1 << 20),
        LearningRate = fields.Number("learningRate", network.LearningRate, 1e-9, 10.0),
        InformationWeight = fields.Number("informationWeight", network.InformationWeight, 0.0, 1000.0),
        MarginalWeight = fields.Number("marginalWeight", network.MarginalWeight, 0.0, 1000.0),
        MarginalShare = fields.Number("marginalShare", network.MarginalShare, 0.0, 1.0),
        InfoNceWeight = fields.Number("infoNceWeight", network.InfoNceWeight, 0.0, 1000.0),
        SupConWeight = fields.Number("supConWeight", network.SupConWeight, 0.0, 1000.0),
        MixupWeight = fields.Number("mixupWeight", network.MixupWeight, 0.0, 1000.0),
    };

    private static OptimizerSpec Bind(IRecipeFields fields, OptimizerSpec optimizer) => new()
    {
        Kind = fields.Choice("kind", optimizer.Kind),
        Beta1 = fields.Number("beta1", optimizer.Beta1, 0, 0.999999),
        Beta2 = fields.Number("beta2", optimizer.Beta2, 0, 0.999999),
        Epsilon = fields.Number("epsilon", optimizer.Epsilon, 1e-20, 1),
        Momentum = fields.Number("momentum", optimizer.Momentum, 0, 0.999999),
        Nesterov = fields.Flag("nesterov", optimizer.Nesterov),
        WeightDecay = fields.Number("weightDecay", optimizer.WeightDecay, 0, 1),
        DecayVectors = fields.Flag("decayVectors", optimizer.DecayVectors),
        ClipNorm = fields.OptionalNumber("clipNorm", optimizer.ClipNorm, 1e-6, 1e6),
        ClipScope = fields.Choice("clipScope", optimizer.ClipScope),
    };

    private static ScheduleSection Bind(IRecipeFields fields, ScheduleSection schedule) => new()
    {
        Kind = fields.Choice("kind", schedule.Kind),
        LearningRate = fields.Number("learningRate", schedule.LearningRate, 1e-9, 10),
        Minimum = fields.Number("minimum", schedule.Minimum, 0, 10),
        WarmupEpochs = fields.Number("warmupEpochs", schedule.WarmupEpochs, 0, 10000),
        Decay = fields.Number("decay", schedule.Decay, 0.001, 1),
        DecayEveryEpochs = fields.Integer("decayEveryEpochs", schedule.DecayEveryEpochs, 1, 100000),
    };

    private static TrainingSection Bind(IRecipeFields fields, TrainingSection training) => new()
    {
        Seed = fields.Seed("seed", training.Seed),
        Epochs = fields.Integer("epochs", training.Epochs, 1, 100000),
        Batch = fields.Integer("batch", training.Batch, 2, 65536),
        Precision = fields.Choice("precision", training.Precision),
        MaximumSteps = fields.Integer("maximumSteps", training.MaximumSteps, 0, int.MaxValue),
        StopAfterEpochs = fields.Integer("stopAfterEpochs", training.StopAfterEpochs, 0, 100000),
        CheckpointEverySteps = fields.Integer("checkpointEverySteps", training.CheckpointEverySteps, 0, int.MaxValue),
    };

    private static EvaluationSection Bind(IRecipeFields fields, EvaluationSection evaluation) => new()
    {
        Trials = fields.Text("trials", evaluation.Trials),
        EveryEpochs = fields.Integer("everyEpochs", evaluation.EveryEpochs, 0, 100000),
        DevEveryEpochs = fields.Integer("devEveryEpochs", evaluation.DevEveryEpochs, 1, 100000),
        DevPairs = fields.Integer("devPairs", evaluation.DevPairs, 1, 1000000),
        Patience = fields.Integer("patience", evaluation.Patience, 0, 100000),
    };
}
