using Spk.Engine.Audio;
using Spk.Engine.Autograd;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Features;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;
using Spk.Tests.Ops.Audio;
using Spk.Tests.Support;

namespace Spk.Tests.Ops;

/// <summary>Every op once or more, at sizes that fill no tile.</summary>
internal static class ParityCases
{
    private static MemorySource Recordings { get; } = new([.. Enumerable.Range(0, 3).Select(i =>
        Samples.Normal(i + 1, 200 + (300 * i), 3000f).Select(v => (short)v).ToArray())]);

    // Sums of up to some hundred f32 terms in two orders.
    private const double Sums = 2e-5;

    // Square roots and divisions of differences of such sums.
    private const double Statistics = 1e-4;

    public static IEnumerable<ParityCase> All { get; } =
    [
        new("Resample", Sums, d => [Samples.Read(Resample.Forward(d, Constant(d, 1, 3, 700), 22050, 16000))]),
        new("CropGather", Sums, d => [Samples.Read(CropGather.Forward(d, Recordings, [new(0, 5, 0.5f), new(1, 0, 1f, 1.1f), new(2, 90, 2f, 0.9f)], 333))]),
        new("MixNoise", Sums, Mixed),
        new("ConvolveRir", Sums, Reverberated),
        new("Fbank torchaudio", Statistics, d => [Samples.Read(Fbank.Forward(d, new FeatureTables(FeatureSpec.TorchaudioMel40), Constant(d, 1, 3, 1777)))]),
        new("Fbank kaldi with dither", Statistics, d =>
            [Samples.Read(Fbank.Forward(d, new FeatureTables(FeatureSpec.KaldiFbank80Povey with { Dither = 1 }), Constant(d, 1, 3, 1777), ditherSeed: 7, ditherEpoch: 3))]),
        new("FeatureNorm instance", Statistics, d => Layer(d, [3, 37, 21], [], (t, x, _) => FeatureNorm.Forward(t, x, FeatureNormalization.Instance))),
        new("FeatureNorm mean", Sums, d => Layer(d, [3, 37, 21], [], (t, x, _) => FeatureNorm.Forward(t, x, FeatureNormalization.Mean))),
        new("MatMul", Sums, d => Layer(d, [70, 133], [[45, 133]], (t, x, p) => MatMul.Forward(t, x, p[0].Value, transposeB: true))),
        new("MatMul with a long inner dimension", Sums, d => Layer(d, [9, 777], [[777, 7]], (t, x, p) => MatMul.Forward(t, x, p[0].Value))),
        new("Linear", Sums, d => Layer(d, [5, 13, 37], [[41, 37], [41]], (t, x, p) => Linear.Forward(t, x, p[0].Value, p[1].Value))),
        new("Conv1d valid", Sums, d => Layer(d, [3, 29, 18], [[37, 3, 18], [37]], (t, x, p) => Conv1d.Forward(t, x, p[0].Value, p[1].Value, dilation: 2))),
        new("Conv1d reflect", Sums, d => Layer(d, [3, 29, 20], [[36, 5, 20]], (t, x, p) => Conv1d.Forward(t, x, p[0].Value, null, 3, Padding.Reflect))),
        new("Conv1d zero", Sums, d => Layer(d, [2, 17, 4], [[8, 3, 4]], (t, x, p) => Conv1d.Forward(t, x, p[0].Value, null, 1, Padding.Zero))),
        new("Conv2d", Sums, d => Layer(d, [2, 7, 29, 12], [[21, 3, 3, 12], [21]], (t, x, p) => Conv2d.Forward(t, x, p[0].Value, p[1].Value, 1, 1, 1, 1))),
        new("Conv2d with strides", Sums, d => Layer(d, [2, 8, 27, 13], [[70, 3, 3, 13]], (t, x, p) => Conv2d.Forward(t, x, p[0].Value, null, 2, 2, 1, 1))),
        new("Conv2d downsampling", Sums, d => Layer(d, [3, 5, 29, 16], [[32, 1, 1, 16]], (t, x, p) => Conv2d.Forward(t, x, p[0].Value, null, 2, 2))),
        new("Conv2d stem", Sums, d => Layer(d, [2, 13, 31, 1], [[16, 7, 7, 1]], (t, x, p) => Conv2d.Forward(t, x, p[0].Value, null, 2, 1, 3, 3))),
        new("BatchNorm training", Statistics, d => Layer(d, [3, 29, 37], [[37], [37]], (t, x, p) =>
            BatchNorm.Forward(t, x, p[0], p[1], Buffer(d, 37, 0), Buffer(d, 37, 1), training: true, before: ActivationKind.Relu))),
        new("BatchNorm added to another", Statistics, d => Layer(d, [3, 29, 37], [[37], [37]], (t, x, p) =>
        {
            var sum = Add.Copy(t, x, d.Workspace.Rent(x.Shape));
            var y = BatchNorm.Forward(t, x, p[0], p[1], Buffer(d, 37, 0), Buffer(d, 37, 1), training: true, before: ActivationKind.Relu, addTo: sum);
            return Add.Forward(t, y, Activation.Forward(t, sum, ActivationKind.Tanh));
        })),
        new("BatchNorm evaluation", Statistics, d => Layer(d, [3, 29, 37], [[37], [37]], (t, x, p) =>
            BatchNorm.Forward(t, x, p[0], p[1], Buffer(d, 37, 0.2f), Buffer(d, 37, 1.5f), training: false))),
        new("Conv1d measured for BatchNorm", Statistics, d => Layer(d, [3, 29, 18], [[37, 3, 18], [37], [37], [37]], (t, x, p) =>
            Normed(t, norm => Conv1d.Forward(t, x, p[0].Value, p[1].Value, 2, norm: norm), p[2], p[3], Buffer(d, 37, 0), Buffer(d, 37, 1), true))),
        new("Conv2d measured for BatchNorm", Statistics, d => Layer(d, [2, 7, 29, 12], [[70, 3, 3, 12], [70], [70]], (t, x, p) =>
            Normed(t, norm => Conv2d.Forward(t, x, p[0].Value, null, 1, 1, 1, 1, norm: norm), p[1], p[2], Buffer(d, 70, 0), Buffer(d, 70, 1), true))),
        new("Conv1d normalised for BatchNorm", Sums, d =>
            [Samples.Read(Normed(null, norm => Conv1d.Forward(null, Constant(d, 1, 3 * 29, 18, [3, 29, 18]), Constant(d, 2, 37 * 3, 18, [37, 3, 18]), null, 2, norm: norm),
                null, null, Buffer(d, 37, 0.2f), Buffer(d, 37, 1.5f), false))]),
        .. Enum.GetValues<ActivationKind>().Select(kind =>
            new ParityCase($"Activation {kind}", Sums, d => Layer(d, [5, 7, 131], [], (t, x, _) => Activation.Forward(t, x, kind)))),
        new("SqueezeExcite", Statistics, d => Layer(d, [3, 19, 37], [[9, 37], [9], [37, 9], [37]], (t, x, p) =>
            SqueezeExcite.Forward(t, x, p[0], p[1], p[2], p[3], residual: x))),
        new("SqueezeExcite of maps", Statistics, d => Layer(d, [3, 4, 7, 37], [[9, 37], [9], [37, 9], [37]], (t, x, p) =>
            SqueezeExcite.Forward(t, x, p[0], p[1], p[2], p[3], residual: x))),
        new("StatsPool", Statistics, d => Layer(d, [3, 29, 37], [], (t, x, _) => StatsPool.Forward(t, x))),
        new("AttentiveStatsPool", Statistics, d => Layer(d, [3, 29, 33], [[11, 99], [11], [33, 11], [33]], (t, x, p) =>
            AttentiveStatsPool.Forward(t, x, new AttentiveStatsParameters(p[0], p[1], p[2], p[3]), training: true))),
        new("AttentiveStatsPool over several tiles", Statistics, d => Layer(d, [2, 70, 67], [[19, 201], [19], [67, 19], [67]], (t, x, p) =>
            AttentiveStatsPool.Forward(t, x, new AttentiveStatsParameters(p[0], p[1], p[2], p[3]), training: true))),
        new("SelfAttentivePool", Statistics, d => Layer(d, [3, 4, 29, 33], [[41, 33], [41], [41, 1]], (t, x, p) =>
            SelfAttentivePool.Forward(t, x, p[0], p[1], p[2]))),
        new("Gru", Statistics, d => Layer(d, [5, 4, 9], [[111, 9], [111, 37], [111], [111]], (t, x, p) =>
            Gru.Forward(t, x, new GruParameters(p[0], p[1], p[2], p[3])))),
        new("Gru from a state", Statistics, d => Layer(d, [3, 2, 4], [[15, 4], [15, 5], [15], [15], [3, 5]], (t, x, p) =>
            Gru.Forward(t, x, new GruParameters(p[0], p[1], p[2], p[3]), p[4].Value))),
        new("Transpose", Sums, d => Layer(d, [3, 37, 70], [], (t, x, _) => Transpose.Forward(t, x))),
        new("LayerNorm", Statistics, d => Layer(d, [9, 7, 77], [[77], [77]], (t, x, p) => LayerNorm.Forward(t, x, p[0], p[1]))),
        new("L2Normalize", Sums, d => Layer(d, [9, 77], [], (t, x, _) => L2Normalize.Forward(t, x))),
        new("Add", Sums, d => Layer(d, [5, 7, 131], [], (t, x, _) => Add.Forward(t, x, Activation.Forward(t, x, ActivationKind.Tanh)))),
        new("WeightedSum", Sums, d => Layer(d, [1], [[1]], (t, x, p) => WeightedSum.Forward(t, [x, p[0].Value], [0.5f, -3f]))),
        new("SelectRows", Sums, d => Layer(d, [9, 77], [], (t, x, _) => SelectRows.Forward(t, Constant(d, 4, 3, 77), Integers(d, [0, -1, 2, -1, 1, 2, -1, -1, 0]), x))),
        new("SimilaritySoftmax", Statistics, d => Layer(d, [37, 70], [[37, 70]], (t, x, p) =>
            SimilaritySoftmax.Forward(t, x, p[0].Value, new SimilaritySoftmaxOptions { Temperature = 0.2f, Symmetric = true, Margin = MarginKind.Additive, MarginValue = 0.1f }))),
        new("SimilaritySoftmax wide", Statistics, d => Layer(d, [9, 530], [[14, 530]], (t, x, p) =>
            SimilaritySoftmax.Forward(t, x, p[0].Value, new SimilaritySoftmaxOptions { Temperature = 0.2f }))),
        new("SimilaritySoftmax of dialogues", Statistics, d => Layer(d, [3 * 37, 70], [[1]], (t, x, p) =>
        {
            p[0].Value.CopyFrom([6f]);
            return AllVersusAll.Forward(t, x, 3, p[0].Value, Weights(d, 37));
        })),
        new("MarginClassifier", Statistics, d => Layer(d, [37, 70], [[53, 70]], (t, x, p) =>
            MarginClassifier.Forward(t, x, p[0], Labels(d, 37, 53), MarginKind.AdditiveAngular, 10f, 0.2f))),
        new("MarginClassifier with AdaFace and mixed labels", Statistics, d =>
        {
            var state = Samples.Constant(d, new Shape(3), [8f, 0.5f, 1f]);
            var weights = Samples.Constant(d, new Shape(37), [.. Enumerable.Range(0, 37).Select(i => 0.5f + (i / 80f))]);
            var results = Layer(d, [37, 70], [[53, 70]], (t, x, p) => MarginClassifier.Forward(
                t, x, p[0], Labels(d, 37, 53), new MarginClassifierOptions { Scale = 10, Adaptive = new AdaptiveMargin(state), Mix = new LabelMix(Labels(d, 37, 7), weights) }, out _));
            return [.. results, Samples.Read(state)];
        }),
        new("MarginClassifier with sub-centres and hard classes", Statistics, d => Layer(d, [19, 70], [[3 * 301, 70]], (t, x, p) => MarginClassifier.Forward(
            t, x, p[0], Labels(d, 19, 301), new MarginClassifierOptions { Kind = MarginKind.AdditiveAngular, Scale = 10, SubCentres = 3, HardNegatives = 5 }, out _))),
        .. Enum.GetValues<OneClassReduction>().Select(reduction => new ParityCase($"OneClassSoftmax {reduction}", Statistics, d =>
            Layer(d, [19, 70], [[53, 70]], (t, x, p) =>
                OneClassSoftmax.Forward(t, x, p[0], Labels(d, 19, 53), new OneClassOptions { Reduction = reduction, Hardest = 7 })))),
        new("PrototypeDistill", Statistics, d => Layer(d, [4 * 7, 37], [[1100, 37]], (t, x, p) => PrototypeDistill.Forward(
            t, x, Constant(d, 5, 2 * 7, 37), p[0].Value, Constant(d, 6, 1100, 37), Constant(d, 7, 1100), new PrototypeDistillOptions { TeacherTemperature = 0.5f, LogitsAtOnce = 1 }))),
        new("Ge2e softmax", Statistics, d => Layer(d, [3 * 37, 70], [[1]], (t, x, p) =>
            Ge2e.Forward(t, x, 3, p[0].Value, Constant(d, 8, 1), new Ge2eOptions { Weights = Weights(d, 37) }))),
        new("Ge2e contrast", Statistics, d => Layer(d, [3 * 37, 70], [[1], [1]], (t, x, p) =>
            Ge2e.Forward(t, x, 3, p[0].Value, p[1].Value, new Ge2eOptions { Form = Ge2eForm.Contrast, NormalizeFirst = false }))),
        new("MeanSquared", Sums, d => Layer(d, [5, 7, 131], [[5, 7, 131]], (t, x, p) => MeanSquared.Forward(t, x, p[0].Value, Weights(d, 35)))),
        new("L1", Sums, d => Layer(d, [5, 7, 131], [[5, 7, 131]], (t, x, p) => L1.Forward(t, x, p[0].Value, Weights(d, 35)))),
        new("L1 of frames ahead", Sums, d => Layer(d, [3, 9, 7], [[3, 9, 7]], (t, x, p) => L1.Ahead(t, x, p[0].Value, 2))),
        new("CrossEntropy", Statistics, d => Layer(d, [9, 301], [], (t, x, _) =>
            CrossEntropy.Forward(t, x, Labels(d, 9, 301), new LabelMix(Labels(d, 9, 30), Samples.Constant(d, new Shape(9), [1, 0.5f, 0.7f, 0, 1, 0.9f, 0.6f, 0.5f, 0.8f]))))),
        new("CrossEntropy of a bilinear contrast", Statistics, d => Layer(d, [9, 37], [[11, 33], [37, 33]], (t, x, p) =>
            BilinearContrast.Forward(t, x, p[0].Value, p[1]))),
        new("Information", Statistics, d => Layer(d, [19, 301], [], (t, x, p) => Information.Forward(t, x, 4, out _))),
        new("Information with a running marginal", Statistics, d =>
        {
            var running = Samples.Constant(d, new Shape(301), [.. Enumerable.Repeat(1 / 301f, 301)]);
            return [.. Layer(d, [19, 301], [], (t, x, p) => Information.Forward(t, x, 4, out _, running, 0.1f)), Samples.Read(running)];
        }),
        new("Divergence", Statistics, d => Layer(d, [27, 301], [], (t, x, _) => Divergence.Forward(t, Constant(d, 4, 9, 301), x))),
        new("Divergence from mixed targets", Statistics, d => Layer(d, [9, 301], [], (t, x, _) =>
            Divergence.Forward(t, Constant(d, 4, 9, 301), x, new RowMix(Labels(d, 9, 9), Samples.Constant(d, new Shape(9), [1, 0.5f, 0.7f, 0, 1, 0.9f, 0.6f, 0.5f, 0.8f]))))),
        new("ViewSymmetry", Statistics, d => Layer(d, [4 * 9, 301], [], (t, x, _) => ViewSymmetry.Forward(t, x, 4))),
        new("ViewSymmetry with weights", Statistics, d => Layer(d, [2 * 3, 301], [], (t, x, _) =>
            ViewSymmetry.Forward(t, x, 2, Samples.Constant(d, new Shape(3, 2), [0.2f, 0.8f, 0.5f, 0.5f, 0.9f, 0.1f])))),
        new("MixRows", Sums, d => Layer(d, [9, 77], [], (t, x, _) => MixRows.Forward(t, x, new RowMix(Integers(d, [4, 1, 0, 0, 8, 2, 0, 5, 3]), Weights(d, 9))))),
        new("Perturb", Sums, d => [Samples.Read(Perturb.Forward(Constant(d, 1, 9, 77), Constant(d, 2, 9, 77), 0.5f, Weights(d, 9)))]),
        new("TopClass", Sums, d =>
        {
            var (labels, probabilities) = (Labels(d, 9, 9), Weights(d, 9));
            TopClass.Forward(Constant(d, 1, 9, 301), labels, probabilities);
            int[] which = new int[9];
            labels.CopyIntsTo(which);
            return [[.. which.Select(l => (float)l)], Samples.Read(probabilities)];
        }),
        new("GroupSimilarity", Sums, d => Layer(d, [3 * 9, 77], [], (t, x, _) => GroupSimilarity.Forward(t, x, 9, Labels(d, 9, 4)))),
        new("GroupSimilarity of views", Sums, d => Layer(d, [3 * 9, 140], [], (t, x, _) => GroupSimilarity.Forward(t, x, 9, null))),
        new("SupervisedContrast", Statistics, d => Layer(d, [2 * 9, 77], [], (t, x, _) => SupervisedContrast.Forward(t, x, 2, Labels(d, 9, 4), 0.2f))),
        new("DialogueCompactness", Sums, d =>
        {
            var compactness = DialogueCompactness.Forward(Constant(d, 1, 3 * 37, 70), 3);
            var state = Constant(d, 2, 2);
            return [Samples.Read(compactness), Samples.Read(DialogueCompactness.Weigh(compactness, state, new DialogueWeightOptions())), Samples.Read(state)];
        }),
        .. new[] { ("CosineTopK", 20), ("CosineTopK of long lists", 50) }.Select(one => new ParityCase(one.Item1, Sums, d =>
        {
            var (cosines, indices) = CosineTopK.Forward(Constant(d, 1, 5, 37), Constant(d, 2, 700, 37), one.Item2);
            int[] which = new int[indices.Count];
            indices.CopyIntsTo(which);
            return [Samples.Read(cosines), [.. which.Select(i => (float)i)]];
        })),
        .. Enum.GetValues<ClusterMetric>().SelectMany(metric => (ParityCase[])
        [
            new($"KMeansAssign {metric}", Sums, d => Assigned(d, metric, 150, 70, 37)),
            new($"KMeansAssign {metric}, large tiles", Sums, d => Assigned(d, metric, 130, 140, 9)),
            new($"KMeansUpdate {metric}", Sums, d => Updated(d, metric)),
            .. Enum.GetValues<KMeansInitialization>().Select(kind => new ParityCase($"KMeansInit {metric} {kind}", Sums, d =>
            {
                var centroids = Constant(d, 3, 7, 20);
                KMeansInit.Forward(d, Constant(d, 1, 600, 20), Weights(d, 600), metric, kind, 3, seed: 5, start: 1, centroids);
                return [Samples.Read(centroids)];
            })),
        ]),
        new("Adam", Sums, d => Update(d, (v, g, m, s, step) => Adam.Step(v, g, m, s, step, new AdamSettings { LearningRate = 0.01, WeightDecay = 0.1 }))),
        new("AdamW", Sums, d => Update(d, (v, g, m, s, step) => AdamW.Step(v, g, m, s, step, new AdamSettings { LearningRate = 0.01, WeightDecay = 0.1 }))),
        new("Sgd", Sums, d => Update(d, (v, g, m, s, step) => Sgd.Step(v, g, m, new SgdSettings { LearningRate = 0.01, Momentum = 0.9, Nesterov = true, WeightDecay = 0.1 }))),
        new("Adam with a clip and an average", Sums, d =>
        {
            var average = Constant(d, 3, 3333);
            var settings = new AdamSettings { LearningRate = 0.01, WeightDecay = 0.1, GradientFactor = 0.3 };
            return [.. Update(d, (v, g, m, s, step) => Adam.Step(v, g, m, s, step, settings, average: new MovingAverage(average, 0.9))), Samples.Read(average)];
        }),
        new("Sgd with a clip and an average", Sums, d =>
        {
            var average = Constant(d, 3, 3333);
            var settings = new SgdSettings { LearningRate = 0.01, Momentum = 0.9, WeightDecay = 0.1, GradientFactor = 0.3 };
            return [.. Update(d, (v, g, m, s, step) => Sgd.Step(v, g, m, settings, average: new MovingAverage(average, 0.9))), Samples.Read(average)];
        }),
        new("Ema", Sums, d => Update(d, (v, g, m, s, step) => Ema.Step(v, g, 0.9))),
        new("GradientNorm", Sums, d =>
        {
            var gradients = Constant(d, 1, 3333);
            float norm = (float)GradientNorm.Clip(gradients, 2.0);
            return [[norm], Samples.Read(gradients)];
        }),
    ];

    // A map with the norm behind it.
    private static Tensor Normed(
        Tape? tape, Func<BatchNormEpilogue, Tensor> map, Parameter? gamma, Parameter? beta, Parameter mean, Parameter variance, bool training)
    {
        var norm = new BatchNormEpilogue();
        BatchNorm.Prepare(norm, tape, gamma, beta, mean, variance, training, before: ActivationKind.Relu);
        return BatchNorm.Forward(tape, map(norm), gamma, beta, mean, variance, training, before: ActivationKind.Relu, epilogue: norm);
    }

    private static float[][] Mixed(Device device)
    {
        var waves = Constant(device, 1, 3, 1777);
        MixNoise.Apply(waves, Constant(device, 2, 3, 1777), [3f, float.NaN, -5f]);
        return [Samples.Read(waves)];
    }

    private static float[][] Reverberated(Device device)
    {
        var bank = new RirBank(device, [Samples.Normal(3, 1500), Samples.Normal(4, 40)], 2500);
        var waves = Constant(device, 1, 4, 2500);
        ConvolveRir.Apply(waves, bank, [1, 0, -1, 0]);
        return [Samples.Read(waves)];
    }

    // Output, gradient of the input, gradients of the parameters, for a loss Σ w·y.
    private static float[][] Layer(Device device, int[] input, int[][] parameterShapes, Func<Tape, Tensor, Parameter[], Tensor> forward)
    {
        var set = new ParameterSet(device);
        Parameter[] parameters = [.. parameterShapes.Select((s, i) => set.Add($"p{i}", ShapeOf(s), Initializer.XavierNormal(1, 1)))];
        set.Allocate(1);
        for (int i = 0; i < parameters.Length; i++)
        {
            parameters[i].Value.CopyFrom(Samples.Normal(10 + i, parameters[i].Value.Count, 0.4f));
        }

        var shape = ShapeOf(input);
        var x = Samples.Variable(device, shape, Samples.Normal(1, shape.Count));
        var tape = new Tape();
        var y = forward(tape, x, parameters);
        float[] output = Samples.Read(y);
        y.GradForWrite(out _).CopyFrom(Samples.Normal(2, y.Count));
        tape.BackwardFromGradients();
        return [output, Samples.Read(x.Grad!), .. parameters.Select(p => Samples.Read(p.Value.Grad!))];
    }

    private static float[][] Update(Device device, Action<Tensor, Tensor, Tensor, Tensor, long> step)
    {
        var values = Constant(device, 1, 3333);
        var mean = Zeros(device, 3333);
        var meanSquare = Zeros(device, 3333);
        for (int i = 1; i <= 3; i++)
        {
            step(values, Constant(device, i + 1, 3333), mean, meanSquare, i);
        }

        return [Samples.Read(values)];
    }

    private static Tensor Constant(Device device, int seed, int rows, int columns) =>
        Samples.Constant(device, new Shape(rows, columns), Samples.Normal(seed, rows * columns, 0.1f));

    private static Tensor Constant(Device device, int seed, int rows, int columns, int[] shape) =>
        device.Workspace.Reshape(Constant(device, seed, rows, columns), ShapeOf(shape));

    private static Tensor Constant(Device device, int seed, int count) => Samples.Constant(device, new Shape(count), Samples.Normal(seed, count));

    private static Tensor Integers(Device device, int[] values)
    {
        var tensor = device.Workspace.Rent(new Shape(values.Length), ElementType.Int32);
        tensor.CopyIntsFrom(values);
        return tensor;
    }

    private static Tensor Zeros(Device device, int count) => Samples.Constant(device, new Shape(count), new float[count]);

    private static Parameter Buffer(Device device, int count, float value) => LayerCheck.Buffer(device, count, value);

    private static float[][] Assigned(Device device, ClusterMetric metric, int rows, int clusters, int dimension)
    {
        var labels = Labels(device, rows, clusters);
        var distances = device.Workspace.Rent(new Shape(rows));
        var sums = KMeansAssign.Forward(
            device, Constant(device, 1, rows, dimension), Weights(device, rows), Constant(device, 2, clusters, dimension), metric, labels, distances);
        int[] got = new int[rows];
        labels.CopyIntsTo(got);
        return [Samples.Read(distances), [.. got.Select(l => (float)l)], [(float)sums.Objective], [sums.Changed]];
    }

    private static float[][] Updated(Device device, ClusterMetric metric)
    {
        var centroids = Constant(device, 2, 300, 20);
        var counts = device.Workspace.Rent(new Shape(300), ElementType.Int32);
        KMeansUpdate.Forward(device, Constant(device, 1, 3000, 20), Weights(device, 3000), Labels(device, 3000, 299), metric, centroids, counts);
        int[] got = new int[300];
        counts.CopyIntsTo(got);
        return [Samples.Read(centroids), [.. got.Select(c => (float)c)]];
    }

    private static Tensor Weights(Device device, int count) =>
        Samples.Constant(device, new Shape(count), [.. Samples.Normal(9, count).Select(v => v < -1.5f ? 0f : 0.5f + Math.Abs(v))]);

    private static Tensor Labels(Device device, int count, int classes)
    {
        var labels = device.Workspace.Rent(new Shape(count), ElementType.Int32);
        labels.CopyIntsFrom([.. Enumerable.Range(0, count).Select(i => i * 31 % classes)]);
        return labels;
    }

    private static Shape ShapeOf(int[] sizes) => sizes.Length switch
    {
        1 => new Shape(sizes[0]),
        2 => new Shape(sizes[0], sizes[1]),
        3 => new Shape(sizes[0], sizes[1], sizes[2]),
        _ => new Shape(sizes[0], sizes[1], sizes[2], sizes[3]),
    };
}
