using NUnit.Framework;
using Spk.Engine.Encoders;
using Spk.Interop;

namespace Spk.Tests.Encoders;

public class EncoderSpecTests
{
    [Test]
    public void Json_round_trips()
    {
        var spec = new EncoderSpec { Kind = "ecapa", Variant = EncoderVariant.Wespeaker, Bins = 80, Width = 64, EmbeddingSize = 192, Scale = 4, Bottleneck = 16 };
        var read = EncoderSpec.FromJson(spec.ToJson());
        Assert.That(read.LastWidth, Is.EqualTo(1536));
        Assert.That(read, Is.EqualTo(spec with { LastWidth = 1536 }));
        Assert.That(read.ToJson(), Is.EqualTo(spec.ToJson()));
    }

    [Test]
    public void A_ResNet_round_trips_with_its_own_widths()
    {
        var read = EncoderSpec.FromJson(new EncoderSpec { Kind = "resnet", Pooling = EncoderPooling.Stats }.ToJson());
        Assert.That((read.Kind, read.Width, read.LastWidth, read.Pooling), Is.EqualTo(("resnet", 16, 128, EncoderPooling.Stats)));
    }

    [Test]
    public void The_width_before_pooling_has_the_published_defaults()
    {
        Assert.That(new EncoderSpec { Width = 512 }.LastWidth, Is.EqualTo(1500));
        Assert.That(new EncoderSpec { Width = 128 }.LastWidth, Is.EqualTo(384));
        Assert.That(new EncoderSpec { Kind = "ecapa", Width = 1024 }.LastWidth, Is.EqualTo(3072));
        Assert.That(new EncoderSpec { LastWidth = 77 }.LastWidth, Is.EqualTo(77));
    }

    [TestCase("{\"kind\":\"conformer\"}", "encoder.kind")]
    [TestCase("{\"variant\":\"other\"}", "encoder.variant")]
    [TestCase("{\"bins\":0}", "encoder.bins")]
    [TestCase("{\"width\":-1}", "encoder.width")]
    [TestCase("{\"lastWidth\":-1}", "encoder.lastWidth")]
    [TestCase("{\"embeddingSize\":0}", "encoder.embeddingSize")]
    [TestCase("{\"scale\":1}", "encoder.scale")]
    [TestCase("{\"bottleneck\":0}", "encoder.bottleneck")]
    [TestCase("{\"kind\":\"ecapa\",\"width\":100}", "multiple of scale")]
    [TestCase("{\"pooling\":\"other\"}", "encoder.pooling")]
    [TestCase("{\"kind\":\"resnet\",\"width\":20}", "multiple of 8")]
    [TestCase("{\"kind\":\"resnet\",\"variant\":\"wespeaker\"}", "encoder.variant = wespeaker")]
    [TestCase("{\"kind\":\"resnet\",\"lastWidth\":100}", "eight times its width, 128")]
    public void A_bad_value_is_named(string json, string named) =>
        Assert.That(() => EncoderSpec.FromJson(json), Throws.TypeOf<InvalidOptionException>().With.Message.Contains(named));

    [TestCase("{\"kind\":\"gru\",\"layers\":0}", "encoder.layers")]
    [TestCase("{\"kind\":\"gru\",\"lastWidth\":100}", "is its width, 512")]
    public void A_bad_value_of_a_GRU_is_named(string json, string named) => A_bad_value_is_named(json, named);

    [Test]
    public void A_GRU_round_trips_and_others_are_written_without_its_layers()
    {
        var spec = new EncoderSpec { Kind = "gru", Width = 24, Layers = 2 };
        Assert.That(EncoderSpec.FromJson(spec.ToJson()), Is.EqualTo(spec with { LastWidth = 24 }));
        Assert.That(new EncoderSpec().ToJson(), Does.Not.Contain("layers"));
    }

    [TestCase("{\"depth\":3}", "depth")]
    [TestCase("{\"bins\":\"many\"}", "expected types")]
    [TestCase("[1]", "expected types")]
    [TestCase("{", "not valid JSON")]
    public void A_foreign_document_is_refused(string json, string named) =>
        Assert.That(() => EncoderSpec.FromJson(json), Throws.TypeOf<DataFormatException>().With.Message.Contains(named));
}
