namespace Spk.Engine.Ops.Loss;

/// <summary>What a row of cosines with sub-centres of classes goes through before and after its softmax.</summary>
internal static unsafe class ClassRows
{
    /// <summary>
    /// Masks all sub-centres of each class but the nearest, the first of equals; a NaN is nearer than anything, so that it reaches the loss.
    /// </summary>
    /// <returns>Where the nearest one of a class lies.</returns>
    public static int KeepNearest(float* cosines, int classes, int each, int own, float masked)
    {
        int place = own;
        for (int k = 0; k < classes; k++)
        {
            float* centres = cosines + ((nint)k * each);
            int nearest = 0;
            for (int j = 1; j < each; j++)
            {
                nearest = !(centres[j] <= centres[nearest]) && !float.IsNaN(centres[nearest]) ? j : nearest;
            }

            for (int j = 0; j < each; j++)
            {
                centres[j] = j == nearest ? centres[j] : masked;
            }

            place = k == own ? (k * each) + nearest : place;
        }

        return place;
    }

    /// <summary>Puts the hardest cosines in the places that the rule says; those that are masked are none.</summary>
    /// <param name="cosines">A row.</param>
    /// <param name="count">Its length.</param>
    /// <param name="rule">The rule.</param>
    /// <param name="places">Room for the wanted number; receives where they lie, the lower place of two equals first.</param>
    /// <param name="slopes">As many; receives how the new cosines change with the old ones.</param>
    /// <returns>How many there are.</returns>
    public static int Harden(float* cosines, int count, in HardNegativeRule rule, Span<int> places, Span<float> slopes)
    {
        int found = 0;
        for (int i = 0; i < count; i++)
        {
            float cosine = cosines[i];
            if (!(cosine > ScaledPower.LowestCosine) || (found == places.Length && !(cosine > cosines[places[found - 1]])))
            {
                continue;
            }

            int at = found < places.Length ? found++ : found - 1;
            for (; at > 0 && cosine > cosines[places[at - 1]]; at--)
            {
                places[at] = places[at - 1];
            }

            places[at] = i;
        }

        for (int i = 0; i < found; i++)
        {
            cosines[places[i]] = (float)rule.Apply(cosines[places[i]], out double slope);
            slopes[i] = (float)slope;
        }

        return found;
    }
}
