using NUnit.Framework;
using Spk.Engine.Features;
using Spk.Interop;

namespace Spk.Tests.Features;

public sealed class FeatureSpecTests
{
    [TestCaseSource(typeof(FeatureSpec), nameof(FeatureSpec.PresetNames))]
    public void Presets_are_valid_and_survive_json(string name)
    {
        var spec = FeatureSpec.Preset(name);
        spec.Validate();
        Assert.That(FeatureSpec.FromJson(spec.ToJson()), Is.EqualTo(spec));
    }

    [Test]
    public void Every_field_survives_json()
    {
        var spec = FeatureSpec.KaldiFbank80 with
        {
            SampleRate = 8000,
            Bins = 23,
            FrameLengthMs = 23.3f,
            FrameShiftMs = 7.1f,
            Window = WindowKind.Povey,
            LowHz = 33.3f,
            HighHz = -100.5f,
            Scale = 3f,
            Preemphasis = 0.5f,
            Dither = 0.7f,
            RemoveMean = false,
            SnipEdges = false,
            UsePower = false,
            UseLog = false,
            LogFloor = 1e-9f,
            Normalization = FeatureNormalization.None,
        };
        Assert.That(FeatureSpec.FromJson(spec.ToJson()), Is.EqualTo(spec));
    }

    [TestCase("{\"bins\":0}", "features.bins = 0")]
    [TestCase("{\"flavor\":\"mfcc\"}", "features.flavor = mfcc")]
    [TestCase("{\"frames\":1}", "features.frames")]
    [TestCase("{\"preemphasis\":0.97}", "features.preemphasis")]
    [TestCase("{\"lowHz\":8000}", "features.lowHz")]
    [TestCase("{\"highHz\":8001}", "features.highHz")]
    [TestCase("{\"logFloor\":0}", "features.logFloor")]
    public void Bad_values_are_named(string json, string part) =>
        Assert.That(() => FeatureSpec.FromJson(json), Throws.InstanceOf<InvalidOptionException>().With.Message.Contains(part));

    [TestCase("")]
    [TestCase("[]")]
    [TestCase("{\"bins\":\"forty\"}")]
    [TestCase("{\"bins\":1.5}")]
    public void Unreadable_text_is_a_format_error(string json) =>
        Assert.That(() => FeatureSpec.FromJson(json), Throws.InstanceOf<DataFormatException>());

    [Test]
    public void Unknown_presets_list_the_known_ones() =>
        Assert.That(() => FeatureSpec.Preset("mel"), Throws.InstanceOf<InvalidOptionException>().With.Message.Contains("torchaudio-mel40"));
}
