using NUnit.Framework;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class DevelopmentSplitTests
{
    private static readonly Utterance[] Utterances =
    [
        .. from speaker in Enumerable.Range(0, 12)
           from utterance in Enumerable.Range(0, 4)
           select new Utterance($"{speaker}/{utterance}.wav", "", $"{(speaker < 6 ? "so" : "ar")}{speaker:D4}"),
        new("lone.wav", "", "so9999"),
        new("unlabelled.wav", ""),
    ];

    [Test]
    public void Held_back_speakers_are_in_the_development_part_only()
    {
        var split = DevelopmentSplit.Create(Utterances, 6, seed: 1);

        Assert.That(split.Speakers, Has.Count.EqualTo(6));
        Assert.That(split.Training.Concat(split.Development).Order(), Is.EqualTo(Enumerable.Range(0, Utterances.Length)));
        Assert.That(split.Development.Select(i => Utterances[i].Speaker).Distinct().Order(), Is.EqualTo(split.Speakers));
        Assert.That(split.Training.Select(i => Utterances[i].Speaker), Has.None.AnyOf([.. split.Speakers]));
        Assert.That(split.Training, Does.Contain(Utterances.Length - 1), "unlabelled utterances are trained on");
    }

    [Test]
    public void Trials_are_all_same_speaker_pairs_and_as_many_others_within_a_source()
    {
        var split = DevelopmentSplit.Create(Utterances, 8, seed: 2);
        var speaker = Utterances.ToDictionary(u => u.Id, u => u.Speaker!);

        var targets = split.Trials.Trials.Where(t => t.IsTarget).ToArray();
        var others = split.Trials.Trials.Where(t => !t.IsTarget).ToArray();
        Assert.That(targets, Has.Length.EqualTo(8 * 6));
        Assert.That(others, Has.Length.EqualTo(8 * 6));
        Assert.That(targets, Has.All.Matches<Trial>(t => speaker[t.Enrolment] == speaker[t.Test] && t.Enrolment != t.Test));
        Assert.That(others, Has.All.Matches<Trial>(t => speaker[t.Enrolment] != speaker[t.Test] && speaker[t.Enrolment][..2] == speaker[t.Test][..2]));
        Assert.That(others.Select(t => string.CompareOrdinal(t.Enrolment, t.Test) < 0 ? (t.Enrolment, t.Test) : (t.Test, t.Enrolment)), Is.Unique);
        split.Trials.RequireUsable(split.Development.Select(i => Utterances[i].Id).ToHashSet());
    }

    [Test]
    public void Same_seed_same_split_and_another_seed_another()
    {
        var a = DevelopmentSplit.Create(Utterances, 4, 3);
        var b = DevelopmentSplit.Create(Utterances, 4, 3);
        Assert.That(b.Speakers, Is.EqualTo(a.Speakers));
        Assert.That(b.Trials.Trials, Is.EqualTo(a.Trials.Trials));
        Assert.That(Enumerable.Range(4, 5).Select(s => string.Join(' ', DevelopmentSplit.Create(Utterances, 4, (ulong)s).Speakers)).Distinct().Count(), Is.GreaterThan(1));
    }

    [Test]
    public void Number_of_targets_is_limited()
    {
        var split = DevelopmentSplit.Create(Utterances, 8, seed: 2, maximumTargets: 10);
        Assert.That(split.Trials.Targets, Is.InRange(10, 12), "every source rounds its share up");
        Assert.That(split.Trials.Trials.Count, Is.EqualTo(2 * split.Trials.Targets));
    }

    [Test]
    public void Speakers_with_names_of_letters_are_paired_with_each_other()
    {
        Utterance[] named = [.. from name in new[] { "anna", "ben", "carla" } from i in Enumerable.Range(0, 2) select new Utterance($"{name}{i}", "", name)];
        var split = DevelopmentSplit.Create(named, 2, seed: 1);
        Assert.That((split.Trials.Targets, split.Trials.Trials.Count), Is.EqualTo((2, 4)));
    }

    [TestCase(1)]
    [TestCase(-1)]
    [TestCase(12)]
    public void Impossible_numbers_name_the_field(int speakers) =>
        Assert.That(
            Assert.Throws<InvalidOptionException>(() => DevelopmentSplit.Create(Utterances, speakers, 1))!.Message,
            Does.Contain($"data.devSpeakers = {speakers}").And.Contain("2 to 11"));
}
