using System.Reflection;
using NUnit.Framework;
using Spk.Tests.Support;

namespace Spk.Tests.Contracts;

/// <summary>Every golden op that is due has a golden test; those of later work are named, never counted as passed.</summary>
public class GoldenCoverageTests
{
    private static readonly string[] Due =
    [
        "kmeans", "kmeans_batched", "kmeans_spherical",
        "kaldi_fbank", "melspectrogram_log", "linear", "conv1d", "batchnorm1d", "tdnn_block", "instance_norm", "stats_pooling",
        "l2_normalize", "res2", "se_block", "attentive_stats", "xvector_ntxent", "ntxent", "aam_softmax", "adam", "adamw", "sgd",
        "lr_cosine", "lr_step", "lr_warmup_cosine", "margin_schedule", "verification_metrics",
        "clustering_features", "clustering_labels", "hungarian", "score_norm",
        "moco_infonce", "dino", "ema_momentum_cosine", "angular_prototypical", "ava", "ge2e_softmax", "dialogue_compactness",
        "gru", "am_softmax", "softmax_cosine", "oc_softmax_binary", "oc_softmax_multi", "adaface",
    ];

    private static readonly string[] NotDue =
    [
        "lstm",
    ];

    [Test]
    public void Every_due_golden_op_is_covered()
    {
        if (Golden.AllOps().Count == 0)
        {
            Assert.Ignore("skipped: no golden folder (set SPK_GOLDEN or place it at ../shared/golden)");
        }

        var covered = GoldenTests().SelectMany(Cases).Select(golden => golden.Op).ToHashSet();
        Assert.Multiple(() =>
        {
            Assert.That(Due.Except(covered), Is.Empty, "due golden ops without a test of category Golden");
            Assert.That(Golden.AllOps(), Is.SubsetOf(Due.Concat(NotDue)), "golden ops that are neither due nor listed as not due");
        });
        TestContext.Out.WriteLine($"not due: {string.Join(", ", Golden.AllOps().Except(covered).Order())}");
    }

    private static IEnumerable<MethodInfo> GoldenTests() =>
        from type in typeof(GoldenCoverageTests).Assembly.GetTypes()
        from method in type.GetMethods()
        where method.GetCustomAttributes<CategoryAttribute>().Concat(type.GetCustomAttributes<CategoryAttribute>()).Any(c => c.Name == "Golden")
        select method;

    private static IEnumerable<GoldenCase> Cases(MethodInfo method)
    {
        foreach (var source in method.GetCustomAttributes<TestCaseSourceAttribute>())
        {
            var type = source.SourceType ?? method.DeclaringType!;
            var values = (source.SourceName is null ? Activator.CreateInstance(type) : Invoke(type, source.SourceName, source.MethodParams))
                as System.Collections.IEnumerable;
            foreach (object? value in values ?? Array.Empty<object>())
            {
                var arguments = value is TestCaseData data ? data.Arguments : value is object?[] several ? several : [value];
                foreach (var golden in arguments.OfType<GoldenCase>())
                {
                    yield return golden;
                }
            }
        }
    }

    private static object? Invoke(Type type, string member, object?[]? parameters)
    {
        const BindingFlags anywhere = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.FlattenHierarchy;
        return type.GetMethod(member, anywhere)?.Invoke(null, parameters)
            ?? type.GetProperty(member, anywhere)?.GetValue(null)
            ?? type.GetField(member, anywhere)?.GetValue(null);
    }
}
