using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Training.Data;

namespace Spk.Tests.Alignment;

/// <summary>
/// What two models make of the same invented utterances: y is near the speaker's point, x is a turned and bent copy of it. Ids are paths with the
/// speaker's folder.
/// </summary>
internal static class TwoSpaces
{
    public const int EnrolmentSize = 12, RuntimeSize = 10;

    public static (EmbeddingTable Enrolment, EmbeddingTable Runtime) Make(int firstSpeaker, int speakers, int utterances = 6, float bend = 1.5f, float noise = 0.25f)
    {
        string[] ids = [.. from s in Enumerable.Range(firstSpeaker, speakers) from u in Enumerable.Range(0, utterances) select $"s{s:000}/{u}.wav"];
        float[] x = new float[ids.Length * EnrolmentSize], y = new float[ids.Length * RuntimeSize];
        float[] turn = Values(1, 0, EnrolmentSize * RuntimeSize), twist = Values(1, 1, EnrolmentSize * RuntimeSize);
        var point = new float[RuntimeSize];
        for (int i = 0; i < ids.Length; i++)
        {
            int speaker = firstSpeaker + (i / utterances);
            float[] centre = Values(2, speaker, RuntimeSize), own = Values(3, (speaker * 100) + (i % utterances), RuntimeSize + EnrolmentSize);
            for (int d = 0; d < RuntimeSize; d++)
            {
                point[d] = centre[d] + (noise * own[d]);
                y[(i * RuntimeSize) + d] = point[d];
            }

            for (int e = 0; e < EnrolmentSize; e++)
            {
                double straight = 0, bent = 0;
                for (int d = 0; d < RuntimeSize; d++)
                {
                    straight += turn[(e * RuntimeSize) + d] * point[d];
                    bent += twist[(e * RuntimeSize) + d] * point[d];
                }

                x[(i * EnrolmentSize) + e] = (float)(straight + (bend * Math.Abs(bent)) + (noise * own[RuntimeSize + e]));
            }
        }

        return (new EmbeddingTable(ids, x, EnrolmentSize), new EmbeddingTable(ids, y, RuntimeSize));
    }

    public static string Speaker(string id) => id.Split('/')[0];

    public static IReadOnlyList<Trial> Trials(EmbeddingTable table) => TrialList.AllPairs(table.Ids, Speaker).Trials;

    private static float[] Values(ulong seed, int item, int count)
    {
        var random = new CounterRandom(seed, RandomPurpose.Synthesis, item: item);
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = random.NextNormal();
        }

        return values;
    }
}
