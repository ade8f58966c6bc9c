using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Clustering;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>The gradients of CAMSAT's terms by the weights of its network, against differences of plain f64 loops.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class CamsatLossTests(TestDevice on)
{
    private const int Rows = 9, Dimension = 4, Width = 6, Clusters = 5;
    private const long Step = 3;

    // methods.md 12: both the prediction of the row itself and the direction that the power iteration found are constants of the loss.
    [Test]
    public void Virtual_adversarial_training_holds_prediction_and_direction_constant([Values(1, 2)] int layers)
    {
        var options = new CamsatOptions
        {
            Clusters = Clusters,
            HiddenWidth = Width,
            HiddenLayers = layers,
            AdversarialRadius = 0.5,
            AdversarialNeighbour = 3,
            AdversarialStep = 2,
            InformationWeight = 0,
            ConsistencyWeight = 0,
            SymmetryWeight = 0,
            UnitLength = false,
            Seed = 7,
        };
        using var run = new Fixture(on, options, []);
        double[][] x = run.X;
        double[][] weights = run.Weights;
        double[][] target = Reference.Predict(x, weights);

        // One power iteration: the gradient at a random point, and as far along it as the radius says.
        double[] probed = [.. Enumerable.Range(0, Rows).SelectMany(i =>
        {
            var direction = new float[Dimension];
            CamsatData.Directions(options.Seed, Step, i, direction);
            return Reference.Along(x[i], Samples.ToDouble(direction), options.AdversarialStep);
        })];
        double[] towards = GradientCheck.Differences([probed], 0, v => Reference.Divergence(target, Reference.Predict(Reference.Matrix(v[0]), weights)));
        double[][] moved = [.. Enumerable.Range(0, Rows).Select(i =>
            Reference.Along(x[i], towards[(i * Dimension)..((i + 1) * Dimension)], options.AdversarialRadius * run.Radii[i]))];

        var terms = run.Step(Step);
        Assert.That(terms.Adversarial, Is.EqualTo(Reference.Divergence(target, Reference.Predict(moved, weights))).Within(1e-5));
        run.AssertGradients(w => Reference.Divergence(target, Reference.Predict(moved, w)));

        // What the network would learn were its own prediction to follow too is something else.
        double[] own = GradientCheck.Differences(weights, weights.Length - 1, w => Reference.Divergence(Reference.Predict(x, w), Reference.Predict(moved, w)));
        double[] constant = GradientCheck.Differences(weights, weights.Length - 1, w => Reference.Divergence(target, Reference.Predict(moved, w)));
        Assert.That(own.Zip(constant, (a, b) => Math.Abs(a - b)).Max(), Is.GreaterThan(0.05 * constant.Max(Math.Abs)));
    }

    [Test]
    public void Mixed_rows_are_predicted_as_the_mixture_of_their_predictions()
    {
        var options = Only(new CamsatOptions { MixupWeight = 1 });
        using var run = new Fixture(on, options, []);
        double[][] target = Reference.Predict(run.X, run.Weights);
        var (partners, shares) = (new int[Rows], new float[Rows]);
        CamsatLoss.Partners(options.Seed, Step, partners, shares);
        Assert.That(partners.Order(), Is.EqualTo(Enumerable.Range(0, Rows)));
        double[] Mix(double[] a, double[] b, float share) => [.. a.Zip(b, (u, v) => (share * u) + ((1 - share) * v))];
        double[][] mixed = [.. run.X.Select((x, i) => Mix(x, run.X[partners[i]], shares[i]))];
        double[][] wanted = [.. target.Select((t, i) =>
            Mix([.. t.Select(v => Math.Exp(v))], [.. target[partners[i]].Select(v => Math.Exp(v))], shares[i]).Select(v => Math.Log(v)).ToArray())];
        double Loss(double[][] weights) => Reference.Divergence(wanted, Reference.Predict(mixed, weights));

        Assert.That(run.Step(Step).Mixup, Is.EqualTo(Loss(run.Weights)).Within(1e-5));
        run.AssertGradients(Loss);
    }

    // Three views: every one of them finds all views of the rows of its class, those of its own row with them, among all views of the batch.
    [Test]
    public void Views_of_a_class_find_each_other()
    {
        const int views = 3;
        var options = Only(new CamsatOptions { SupConWeight = 1, Temperature = 0.5 });
        float[] values = Samples.Normal(9, views * Rows * Dimension);
        using var run = new Fixture(on, options, values, seed: 43);
        double[][] x = Reference.Matrix(Samples.ToDouble(values));
        int[] classes = [.. Reference.Predict(run.X, run.Weights).Select(p => Array.IndexOf(p, p.Max()))];
        Assert.That(classes.Distinct().Count(), Is.InRange(2, Rows - 1), "classes of several rows, and several classes");
        double Loss(double[][] weights)
        {
            double[][] hidden = Reference.Hidden(x, weights);
            double[][] unit = [.. hidden.Select(h => h.Select(v => v / Math.Sqrt(h.Sum(u => u * u))).ToArray())];
            return Enumerable.Range(0, unit.Length).Average(i =>
            {
                double[] logits = [.. unit.Select(other => other.Zip(unit[i], (a, b) => a * b).Sum() / options.Temperature)];
                double all = Math.Log(Enumerable.Range(0, unit.Length).Where(r => r != i).Sum(r => Math.Exp(logits[r])));
                return Enumerable.Range(0, unit.Length).Where(a => a != i && classes[a % Rows] == classes[i % Rows]).Average(a => all - logits[a]);
            });
        }

        Assert.That(run.Step(Step).SupCon, Is.EqualTo(Loss(run.Weights)).Within(1e-5));
        run.AssertGradients(Loss);
    }

    private static CamsatOptions Only(CamsatOptions options) => options with
    {
        Clusters = Clusters,
        HiddenWidth = Width,
        HiddenLayers = 1,
        AdversarialWeight = 0,
        InformationWeight = 0,
        ConsistencyWeight = 0,
        SymmetryWeight = 0,
        UnitLength = false,
        Seed = 7,
    };

    /// <summary>One batch of all rows, and a network whose predictions are far from uniform.</summary>
    private sealed class Fixture : IDisposable
    {
        private readonly Spk.Engine.Devices.Device _device;
        private readonly ParameterSet _parameters;
        private readonly CamsatLoss _loss;

        public Fixture(TestDevice on, CamsatOptions options, float[] views, int seed = 20)
        {
            _device = on.Open();
            float[] rows = Samples.Normal(5, Rows * Dimension);
            var data = CamsatData.Load(_device, rows, Dimension, options, views);
            _parameters = new ParameterSet(_device);
            var network = new CamsatNetwork(_parameters, Dimension, options);
            _parameters.Rent(1);
            foreach (var parameter in _parameters.Trainable)
            {
                parameter.ImportFrom(Samples.Normal(seed++, parameter.Shape.Count, parameter.Shape.Rank == 1 ? 0.5f : 1f));
            }

            _loss = new CamsatLoss(network, data, options, Rows);
            X = Reference.Matrix(Samples.ToDouble(Samples.Read(data.Rows)));
            Radii = Samples.ToDouble(Samples.Read(data.Radii));
            Weights = [.. _parameters.Trainable.Select(parameter =>
            {
                var values = new float[parameter.Shape.Count];
                parameter.ExportTo(values);
                return Samples.ToDouble(values);
            })];
        }

        public double[][] X { get; }

        public double[] Radii { get; }

        public double[][] Weights { get; }

        public CamsatTerms Step(long step)
        {
            int[] all = [.. Enumerable.Range(0, Rows)];
            var index = _device.Workspace.Rent(new Shape(Rows), ElementType.Int32);
            index.CopyIntsFrom(all);
            return _loss.Run(new Tape(), index, all, step);
        }

        public void AssertGradients(Func<double[][], double> loss)
        {
            for (int k = 0; k < Weights.Length; k++)
            {
                double[] want = GradientCheck.Differences(Weights, k, loss);
                var parameter = _parameters.Trainable[k];
                Close.Assert(Samples.Read(parameter.Value.Grad!), want, Tolerance.Gradient * Math.Max(want.Max(Math.Abs), 0.1), $"gradient of {parameter.Name}");
            }
        }

        public void Dispose() => _device.Dispose();
    }

    private static class Reference
    {
        private const double NormFloor = 1e-5;

        public static double[][] Matrix(double[] values) => [.. values.Chunk(Dimension)];

        /// <summary>Logarithms of the predictions: linear maps with batch norm (of this batch) and ReLU, then one more and a softmax.</summary>
        public static double[][] Predict(double[][] x, double[][] weights)
        {
            double[][] logits = Linear(Hidden(x, weights), weights[^2], weights[^1]);
            return [.. logits.Select(row =>
            {
                double highest = row.Max(), sum = Math.Log(row.Sum(l => Math.Exp(l - highest))) + highest;
                return row.Select(l => l - sum).ToArray();
            })];
        }

        /// <summary>The last hidden layer.</summary>
        public static double[][] Hidden(double[][] x, double[][] weights)
        {
            int at = 0;
            for (; at + 2 < weights.Length; at += 4)
            {
                double[][] h = Linear(x, weights[at], weights[at + 1]);
                double[] gamma = weights[at + 2], beta = weights[at + 3];
                for (int d = 0; d < gamma.Length; d++)
                {
                    double mean = h.Average(row => row[d]), variance = h.Average(row => (row[d] - mean) * (row[d] - mean));
                    foreach (double[] row in h)
                    {
                        row[d] = Math.Max(0, (gamma[d] * (row[d] - mean) / Math.Sqrt(variance + NormFloor)) + beta[d]);
                    }
                }

                x = h;
            }

            return x;
        }

        /// <summary>Mean over rows of KL(p ‖ q), of logarithms.</summary>
        public static double Divergence(double[][] p, double[][] q) => p.Zip(q, (a, b) => a.Zip(b, (s, t) => Math.Exp(s) * (s - t)).Sum()).Average();

        public static double[] Along(double[] x, double[] direction, double distance)
        {
            double length = Math.Sqrt(direction.Sum(v => v * v));
            return [.. x.Zip(direction, (v, d) => v + (distance * d / length))];
        }

        private static double[][] Linear(double[][] x, double[] weight, double[] bias) =>
            [.. x.Select(row => bias.Select((b, o) => b + row.Select((v, i) => v * weight[(o * row.Length) + i]).Sum()).ToArray())];
    }
}
