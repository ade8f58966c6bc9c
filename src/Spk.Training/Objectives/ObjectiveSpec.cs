using Spk.Engine.Encoders;
using Spk.Engine.Ops.Loss;

namespace Spk.Training.Objectives;

/// <summary>Training objectives.</summary>
public enum ObjectiveKind
{
    /// <summary>Self-supervised contrastive learning with NT-Xent (Chen et al., "A simple framework for contrastive learning", ICML 2020).</summary>
    SimClr,

    /// <summary>Contrastive learning against a queue of past keys of a momentum encoder (He et al., "Momentum contrast", CVPR 2020).</summary>
    Moco,

    /// <summary>Self-distillation without labels or negatives (Caron et al., "Emerging properties", ICCV 2021).</summary>
    Dino,

    /// <summary>Classification by the manifest's speakers or by pseudo-labels, with one of the heads of <see cref="ClassifierHead"/>.</summary>
    Supervised,

    /// <summary>All versus all: every utterance of a dialogue finds the others among the utterances of all other dialogues, without centroids.</summary>
    Ava,

    /// <summary>Angular prototypical loss (Chung et al., "In defence of metric learning", Interspeech 2020).</summary>
    AngularPrototypical,

    /// <summary>Generalised end-to-end loss (Wan et al., ICASSP 2018).</summary>
    Ge2e,

    /// <summary>Two crops of a recording find each other by a bilinear similarity (Saeed et al., arXiv:2010.10915).</summary>
    Cola,

    /// <summary>Autoregressive predictive coding: features some frames ahead from those so far (Chung et al., arXiv:1904.03240).</summary>
    Apc,
}

/// <summary>How the margin grows over training.</summary>
public enum MarginCurve
{
    /// <summary>The whole margin from the first step.</summary>
    Constant,

    /// <summary>From 0 to the whole margin along half a cosine over the first half of the epochs (methods.md 5.1).</summary>
    Cosine,
}

/// <summary>How the momentum of a momentum encoder changes over training.</summary>
public enum MomentumCurve
{
    /// <summary>Always the same (MoCo).</summary>
    Constant,

    /// <summary>From its start to 1 along half a cosine (DINO).</summary>
    Cosine,
}

/// <summary>How closely a momentum encoder follows the trained one.</summary>
public sealed record MomentumSpec
{
    /// <summary>Share of its own parameters that it keeps at the first step, 0 to 1.</summary>
    public double Start { get; init; } = 0.999;

    /// <summary>How that changes.</summary>
    public MomentumCurve Curve { get; init; }
}

/// <summary>The projector between encoder and contrastive loss: as many linear layers, with batch norm and ReLU between them.</summary>
public sealed record ProjectorSection
{
    /// <summary>Linear layers; 0 compares the embeddings themselves, which is what speaker verification prefers (methods.md 3.4).</summary>
    public int Layers { get; init; }

    /// <summary>Width of the inner layers.</summary>
    public int Hidden { get; init; } = 2048;

    /// <summary>Width of what is compared.</summary>
    public int Outputs { get; init; } = 512;

    /// <summary>The projector's shape, or null where there is none.</summary>
    internal ProjectorSpec? For(int embeddingSize) => Layers == 0 ? null : new ProjectorSpec { Inputs = embeddingSize, Layers = Layers, Hidden = Hidden, Outputs = Outputs };
}

/// <summary>DINO's head, temperatures and centre (methods.md 7).</summary>
public sealed record DistillSpec
{
    /// <summary>Width of the two inner layers of the head.</summary>
    public int Hidden { get; init; } = 2048;

    /// <summary>Width of the unit-length vector that is compared with the prototypes.</summary>
    public int Bottleneck { get; init; } = 256;

    /// <summary>K, prototypes.</summary>
    public int Prototypes { get; init; } = 65_536;

    /// <summary>τ of the student.</summary>
    public float StudentTemperature { get; init; } = 0.1f;

    /// <summary>τ of the teacher after the warm-up; below the student's it sharpens the targets.</summary>
    public float TeacherTemperature { get; init; } = 0.04f;

    /// <summary>τ of the teacher in the first epoch.</summary>
    public float FirstTeacherTemperature { get; init; } = 0.04f;

    /// <summary>Epochs in which the teacher's temperature goes, in equal steps, from the first to the final one.</summary>
    public int TemperatureEpochs { get; init; }

    /// <summary>Share of the old centre that is kept at every step, 0 to 1; 1 never centres.</summary>
    public double CentreMomentum { get; init; } = 0.9;

    /// <summary>Epochs in which the prototypes get no gradient.</summary>
    public int FrozenEpochs { get; init; } = 1;

    /// <summary>τ of the teacher in an epoch.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    public float TeacherTemperatureAt(long epoch) => epoch >= TemperatureEpochs
        ? TeacherTemperature
        : FirstTeacherTemperature + ((TeacherTemperature - FirstTeacherTemperature) * epoch / Math.Max(1, TemperatureEpochs - 1));
}

/// <summary>What COLA compares: g = tanh(layer norm(linear(embedding))), by gᵀ·W·g' (methods.md 11).</summary>
public sealed record ColaSpec
{
    /// <summary>Elements of g.</summary>
    public int Outputs { get; init; } = 512;
}

/// <summary>What APC predicts (methods.md 11).</summary>
public sealed record ApcSpec
{
    /// <summary>Frames from what is known to what is predicted, 1 or more: neighbours are too alike to learn from.</summary>
    public int Ahead { get; init; } = 3;
}

/// <summary>Everything an objective needs to know; fields that another kind uses are ignored.</summary>
public sealed record ObjectiveSpec
{
    /// <summary>Which objective.</summary>
    public ObjectiveKind Kind { get; init; } = ObjectiveKind.SimClr;

    /// <summary>Temperature of the contrastive loss, above 0 (SimCLR, MoCo).</summary>
    public float Temperature { get; init; } = 0.1f;

    /// <summary>
    /// SimCLR: whether both views are anchors, with 2B − 2 negatives each. MoCo: whether both views are queries, each with a queue of
    /// its own.
    /// </summary>
    public bool Symmetric { get; init; } = true;

    /// <summary>Where the margin enters.</summary>
    public MarginKind MarginKind { get; init; } = MarginKind.Additive;

    /// <summary>The margin: subtracted from the positive cosine (additive) or added to its angle in radians (additiveAngular), 0 to 1.</summary>
    public float Margin { get; init; }

    /// <summary>How the margin grows.</summary>
    public MarginCurve MarginCurve { get; init; } = MarginCurve.Constant;

    /// <summary>Leaves utterances of the anchor's own speaker out of the negatives, by the manifest's labels: a diagnosis, not self-supervision (SimCLR, MoCo).</summary>
    public bool OracleMask { get; init; }

    /// <summary>Scale of the cosines (supervised); 20 is usual with OC-Softmax.</summary>
    public float Scale { get; init; } = HeadSpec.DefaultScale(ClassifierHead.Margin);

    /// <summary>The classifier's loss (supervised).</summary>
    public HeadSpec Head { get; init; } = new();

    /// <summary>Mixed rows (supervised).</summary>
    public MixSpec Mix { get; init; } = new();

    /// <summary>Keys of past batches in a queue, a batch or more (MoCo).</summary>
    public int QueueSize { get; init; } = 32_768;

    /// <summary>
    /// Keys that share batch-norm statistics, drawn at random from the batch; 0 for all of it. Hides from a query which key comes from
    /// its own batch (MoCo).
    /// </summary>
    public int KeyGroup { get; init; }

    /// <summary>The momentum encoder (MoCo, DINO).</summary>
    public MomentumSpec Momentum { get; init; } = new();

    /// <summary>The projector (SimCLR, MoCo).</summary>
    public ProjectorSection Projector { get; init; } = new();

    /// <summary>DINO's head, temperatures and centre.</summary>
    public DistillSpec Distill { get; init; } = new();

    /// <summary>Scale and rejection of the objectives over dialogues.</summary>
    public DialogueSpec Dialogue { get; init; } = new();

    /// <summary>COLA's head.</summary>
    public ColaSpec Cola { get; init; } = new();

    /// <summary>What APC predicts.</summary>
    public ApcSpec Apc { get; init; } = new();
}
