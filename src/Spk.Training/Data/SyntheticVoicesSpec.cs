using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>Size of a synthetic corpus. The same values give the same bytes on the same kind of machine.</summary>
public sealed record SyntheticVoicesSpec
{
    /// <summary>Training speakers, 2 to 100,000.</summary>
    public int Speakers { get; init; } = 60;

    /// <summary>Evaluation speakers, none of them a training speaker, 2 to 100,000.</summary>
    public int EvaluationSpeakers { get; init; } = 20;

    /// <summary>Utterances of each speaker, 2 to 10,000.</summary>
    public int UtterancesPerSpeaker { get; init; } = 10;

    /// <summary>Recording sessions of each speaker, each with its own microphone, room and noise; 1 to the number of utterances.</summary>
    public int SessionsPerSpeaker { get; init; } = 3;

    /// <summary>
    /// Null: the sessions of a speaker differ mildly, and trials pair any two utterances. 0 to 1: every session has a strong channel of its own
    /// (filter, room, noise floor, gain), 1 the strongest, so that utterances of a session share more than their speaker. Each session of a
    /// training speaker has a channel that no other has; in the evaluation part about four speakers share a channel, same-speaker trials are
    /// across channels, and half of the different-speaker trials within one. The manifests' session is the channel. Needs 2 sessions or more.
    /// </summary>
    public float? ChannelStrength { get; init; }

    /// <summary>
    /// Null: no dialogues. 0 to 1: the training part comes with sessions.csv, the log of a device for each speaker; a session is a dialogue, and
    /// in this share of them the last utterance is another speaker's, in the same room. Needs 2 utterances or more in each session.
    /// </summary>
    public float? SecondSpeakers { get; init; }

    /// <summary>Shortest utterance in seconds, 0.5 or more.</summary>
    public float MinimumSeconds { get; init; } = 2f;

    /// <summary>Longest utterance in seconds, up to 60.</summary>
    public float MaximumSeconds { get; init; } = 3f;

    /// <summary>Sample rate in Hz, 8,000 to 48,000.</summary>
    public int SampleRate { get; init; } = 16000;

    /// <summary>Noise files of 6 s, 0 to 1,000.</summary>
    public int Noises { get; init; } = 10;

    /// <summary>Room responses, 0 to 1,000.</summary>
    public int Rooms { get; init; } = 20;

    /// <summary>Most same-speaker trials; as many different-speaker trials are made.</summary>
    public int MaximumTargets { get; init; } = 2000;

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Checks every value.</summary>
    /// <exception cref="InvalidOptionException">A value is outside its range; the message names it and the range.</exception>
    public void Validate()
    {
        Require(Speakers, 2, 100_000, "speakers");
        Require(EvaluationSpeakers, 2, 100_000, "evaluationSpeakers");
        Require(UtterancesPerSpeaker, 2, 10_000, "utterancesPerSpeaker");
        Require(ChannelStrength ?? 0, 0, 1, "channelStrength");
        Require(SecondSpeakers ?? 0, 0, 1, "secondSpeakers");
        Require(SessionsPerSpeaker, ChannelStrength is null ? 1 : 2, SecondSpeakers is null ? UtterancesPerSpeaker : UtterancesPerSpeaker / 2, "sessionsPerSpeaker");
        Require(MinimumSeconds, 0.5f, 60f, "minimumSeconds");
        Require(MaximumSeconds, MinimumSeconds, 60f, "maximumSeconds");
        Require(SampleRate, 8000, 48000, "sampleRate");
        Require(Noises, 0, 1000, "noises");
        Require(Rooms, 0, 1000, "rooms");
        Require(MaximumTargets, 1, 10_000_000, "maximumTargets");
    }

    /// <summary>The corpus in words: everything that its bytes depend on.</summary>
    internal string Describe() => FormattableString.Invariant(
        $"{Speakers} training and {EvaluationSpeakers} evaluation speakers, {UtterancesPerSpeaker} utterances of {MinimumSeconds} to {MaximumSeconds} s each in {SessionsPerSpeaker} sessions{(ChannelStrength is { } strength ? $" with channels of strength {strength}" : "")}{(SecondSpeakers is { } rate ? $", {rate} of them with a second speaker" : "")}, {SampleRate} Hz, {Noises} noises, {Rooms} rooms, at most {MaximumTargets} target trials, seed {Seed}");

    private static void Require(float value, float least, float most, string name)
    {
        if (!(value >= least && value <= most))
        {
            throw new InvalidOptionException(FormattableString.Invariant($"{name} = {value}: allowed are {least} to {most}."));
        }
    }
}
