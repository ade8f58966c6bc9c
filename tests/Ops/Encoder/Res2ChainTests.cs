using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>A Res2 layer in one kernel against the same layer group by group, in the same arithmetic and on the CPU.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class Res2ChainTests(TestDevice on)
{
    private const Precision Tf32 = Precision.Tf32, Bf16 = Precision.Bf16;

    // Batch, frames, channels of a group, groups, dilation, first channel of the views that x and y are. Frames: the fewest there can be, fewer than all stages
    // reach, a tile, one more, several with borders inside. Widths: odd, by fours, a warp's columns and one more, the narrower kernel's and the wider one's.
    [TestCase("2 1 8 2 1 0")]
    [TestCase("3 5 13 4 4 1")]
    [TestCase("1 23 16 8 4 0")]
    [TestCase("2 128 16 4 3 2")]
    [TestCase("1 129 33 2 2 0")]
    [TestCase("1 300 16 8 4 4")]
    [TestCase("1 241 9 8 1 3")]
    [TestCase("2 150 20 2 2 0")]
    [TestCase("1 40 64 4 2 0")]
    [TestCase("1 131 77 2 3 1")]
    [TestCase("1 30 128 3 1 4")]
    [Category("Sanitized")]
    public void One_kernel_equals_the_composition(string sizes)
    {
        foreach (var (padding, variant) in new[] { (Padding.Reflect, EncoderVariant.Sslsv), (Padding.Zero, EncoderVariant.Wespeaker) })
        {
            var layer = new Layer(sizes, padding, variant);
            if (padding == Padding.Reflect && layer.Frames <= layer.Dilation)
            {
                continue;
            }

            using var cpu = TestDevice.Cpu.Open();
            float[] exact = layer.Run(cpu, fused: false);
            foreach (var precision in new[] { Tf32, Bf16 })
            {
                string what = $"{sizes}, {padding}, {variant}, {precision}";
                using var cuda = on.Open(precision: precision);
                float[] want = layer.Run(cuda, fused: false), got = layer.Run(cuda, fused: true);

                // Where no tile of k has two taps, the same products are added in the same order. Elsewhere a sum may round to another bf16 on its way to the next group.
                double largest = want.Max(Math.Abs), limit = Tolerance.RoundedProduct(precision, 3 * layer.Width) * largest;
                Close.Assert(got, want, layer.Width % 16 == 0 ? 0 : limit, $"{what}, group by group");
                Close.Assert(got, exact, limit * layer.Groups, $"{what}, CPU");
            }
        }
    }

    [Test]
    public void A_layer_takes_it_in_inference_alone()
    {
        var layer = new Layer("2 40 16 4 2 0", Padding.Reflect, EncoderVariant.Sslsv);
        foreach (var precision in on.Precisions)
        {
            using var cuda = (CudaDevice)on.Open(precision: precision);
            var launched = new List<string>();
            cuda.Launching = kernel => launched.Add(kernel.Name);
            float[] want = layer.Run(cuda, fused: false);
            Assert.That(launched, Has.None.StartsWith("res2_chain").And.Some.StartsWith("mat_mul"));
            var (res2, x, _) = layer.On(cuda);
            launched.Clear();
            float[] y = Samples.Read(res2.Forward(null, x, training: false)), after = Samples.Read(x);
            if (precision == Precision.Fp32)
            {
                Assert.That(launched, Has.None.StartsWith("res2_chain"));
            }
            else
            {
                string kind = precision.ToString().ToLowerInvariant();
                Assert.That(launched, Is.EqualTo((string[])[$"res2_chain_prepare_{kind}", $"res2_chain_run_{kind}_64"]));
                Assert.That(after, Is.EqualTo(layer.Input), "x is only read");
            }

            Assert.That(y, Is.EqualTo(want), $"{precision}");
            foreach (var (tape, training) in new[] { (new Tape(), false), (null, true) })
            {
                (res2, x, _) = layer.On(cuda);
                launched.Clear();
                res2.Forward(tape, x, training);
                Assert.That(launched, Has.None.StartsWith("res2_chain").And.Some.StartsWith("mat_mul"));
            }
        }
    }

    // Roundings of some ten layers of products one after the other.
    [TestCase(EncoderVariant.Sslsv)]
    [TestCase(EncoderVariant.Wespeaker)]
    public void Ecapa_embeds_as_on_the_cpu(EncoderVariant variant)
    {
        var spec = new EncoderSpec
        {
            Kind = "ecapa",
            Bins = 5,
            Width = 32,
            LastWidth = 10,
            EmbeddingSize = 6,
            Scale = 4,
            Bottleneck = 3,
            Variant = variant,
        };
        using var cpu = TestDevice.Cpu.Open();
        float[] want = Embed(cpu);
        foreach (var precision in on.Precisions)
        {
            using var cuda = (CudaDevice)on.Open(precision: precision);
            int chains = 0;
            cuda.Launching = kernel => chains += kernel.Name.StartsWith("res2_chain_run", StringComparison.Ordinal) ? 1 : 0;
            Close.Assert(Embed(cuda), want, 10 * Tolerance.RoundedProduct(precision, 32) * want.Max(Math.Abs), $"{precision}");
            Assert.That(chains, Is.EqualTo(precision == Precision.Fp32 ? 0 : 3), $"{precision}");
        }

        float[] Embed(Device device)
        {
            var parameters = new ParameterSet(device);
            var encoder = Engine.Encoders.Encoder.Create(spec, parameters);
            parameters.Allocate(1);
            return Samples.Read(encoder.Forward(null, Samples.Constant(device, new Shape(2, 33, 5), Samples.Normal(1, 2 * 33 * 5)), training: false));
        }
    }

    [Test]
    public void Shapes_that_it_does_not_serve_are_refused()
    {
        using var cuda = on.Open(precision: Bf16);
        Tensor Of(int frames, int channels) => cuda.Workspace.Rent(new Shape(1, frames, channels));
        Assert.Multiple(() =>
        {
            Assert.That(Res2Chain.Suits(Of(200, 1024), 128, 7, 3, 4, Padding.Reflect));
            Assert.That(Res2Chain.Suits(Of(200, 258), 129, 1, 3, 1, Padding.Zero), Is.False, "too wide");
            Assert.That(Res2Chain.Suits(Of(200, 136), 8, 16, 3, 1, Padding.Zero), Is.False, "too many groups");
            Assert.That(Res2Chain.Suits(Of(200, 40), 8, 3, 3, 1, Padding.Zero), Is.False, "other channels");
            Assert.That(Res2Chain.Suits(Of(200, 32), 8, 3, 3, 1, Padding.Valid), Is.False, "a shorter result");
            Assert.That(Res2Chain.Suits(Of(200, 32), 8, 3, 1, 1, Padding.Valid), "one tap");
            Assert.That(Res2Chain.Suits(Of(200, 32), 8, 3, 2, 1, Padding.Zero), Is.False, "even taps");
            Assert.That(Res2Chain.Suits(Of(4, 32), 8, 3, 3, 4, Padding.Reflect), Is.False, "too short to mirror");
            Assert.That(Res2Chain.Suits(Of(200, 256), 128, 1, 3, 200, Padding.Zero), Is.False, "more than shared memory");
            Assert.That(Res2Chain.Suits(Of(200, 64), 8, 7, 3, 11, Padding.Zero), Is.False, "nothing left between borders");
        });
    }

    // Frames, stages, pad.
    [TestCase(1, 7, 4, 1)]
    [TestCase(128, 7, 40, 1)]
    [TestCase(129, 7, 4, 2)]
    [TestCase(200, 7, 4, 2)]
    [TestCase(208, 7, 4, 2)]
    [TestCase(209, 7, 4, 3)]
    [TestCase(288, 7, 4, 3)]
    [TestCase(289, 7, 4, 4)]
    [TestCase(1000, 1, 9, 8)]
    [TestCase(129, 7, 11, 0)]
    public void Tiles_are_as_few_as_their_overlap_allows(int frames, int stages, int pad, int tiles) =>
        Assert.That(Res2Chain.Tiles(frames, stages, pad), Is.EqualTo(tiles));

    // Computed frames: 1.28 and 1.6 times those there are, in a batch that fills the device; then one that does not.
    [TestCase(Tf32, 128, 512, 200, true)]
    [TestCase(Tf32, 128, 512, 160, false)]
    [TestCase(Tf32, 64, 512, 160, true)]
    [TestCase(Bf16, 128, 512, 160, true)]
    [TestCase(Bf16, 128, 512, 120, false)]
    [TestCase(Tf32, 128, 264, 20, true)]
    public void It_pays_while_little_is_computed_twice(Precision precision, int width, int blocks, int framesOfTwo, bool pays) =>
        Assert.That(Res2Chain.Pays(precision, width, blocks, blocks / 2 * (long)framesOfTwo), Is.EqualTo(pays));

    private sealed class Layer
    {
        private readonly int _batch, _first;
        private readonly Padding _padding;
        private readonly EncoderVariant _variant;

        public Layer(string sizes, Padding padding, EncoderVariant variant)
        {
            int[] s = [.. sizes.Split(' ').Select(int.Parse)];
            (_batch, Frames, Width, Groups, Dilation, _first) = (s[0], s[1], s[2], s[3], s[4], s[5]);
            (_padding, _variant) = (padding, variant);
            Input = Samples.Normal(1, _batch * Frames * Wide);
        }

        public int Frames { get; }

        public int Width { get; }

        public int Groups { get; }

        public int Dilation { get; }

        // With the channels on either side of the views.
        public float[] Input { get; }

        private int Channels => Width * Groups;

        private int Wide => Channels + (2 * _first);

        public (Res2Layer Layer, Tensor X, Tensor Y) On(Device device)
        {
            var parameters = new ParameterSet(device);
            var layer = new Res2Layer(parameters, "res2", Channels, Groups, 3, Dilation, _padding, _variant);
            parameters.Allocate(1);
            for (int i = 0; i < layer.Groups.Count; i++)
            {
                var norm = layer.Groups[i].Norm;
                Fill(norm.Gamma!, 1f, 0.3f, i);
                Fill(norm.Beta!, 0f, 0.3f, i + 20);
                Fill(norm.RunningMean, 0.3f, 0.2f, i + 40);
                norm.RunningVariance.Value.CopyFrom([.. Samples.Normal(i + 60, Width).Select(v => 0.3f + Math.Abs(v))]);
            }

            var x = Samples.Constant(device, new Shape(_batch, Frames, Wide), Input);
            var y = Samples.Constant(device, x.Shape, new float[Input.Length]);
            return (layer, _first == 0 ? x : x.Channels(_first, Channels), y);
        }

        // All of y, with what lies beside the view.
        public float[] Run(Device device, bool fused)
        {
            var (layer, x, all) = On(device);
            var y = all.Channels(_first, Channels);
            bool firstUntouched = _variant == EncoderVariant.Sslsv;
            if (fused)
            {
                Assert.That(Res2Chain.Suits(x, Width, layer.Stages.Length, 3, Dilation, _padding));
                Res2Chain.Forward(x, layer.Stages, firstUntouched, Dilation, _padding, y);
                return Samples.Read(all);
            }

            int untouched = firstUntouched ? 0 : Groups - 1;
            Add.Copy(null, Group(x, untouched), Group(y, untouched));
            for (int i = 0; i < layer.Groups.Count; i++)
            {
                int at = firstUntouched ? i + 1 : i;
                var group = Group(x, at);
                if (i > 0)
                {
                    Add.Forward(null, group, Group(y, at - 1), output: group);
                }

                layer.Groups[i].Forward(null, group, training: false, Group(y, at));
            }

            return Samples.Read(all);
        }

        private Tensor Group(Tensor tensor, int index) => tensor.Channels(index * Width, Width);

        private static void Fill(Parameter parameter, float mean, float deviation, int seed) =>
            parameter.Value.CopyFrom([.. Samples.Normal(seed + 100, parameter.Value.Count, deviation).Select(v => mean + v)]);
    }
}
