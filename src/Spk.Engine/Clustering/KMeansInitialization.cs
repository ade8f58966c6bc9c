namespace Spk.Engine.Clustering;

/// <summary>Where the first centroids come from, unless they are given. Rows of weight 0, and under cosine zero rows, are never chosen.</summary>
public enum KMeansInitialization
{
    /// <summary>Distinct random rows: almost free.</summary>
    RandomRows,

    /// <summary>
    /// k-means++ (Arthur and Vassilvitskii, SODA 2007), best of several candidates a step: a row is drawn with probability proportional
    /// to its distance from the centroids so far (squared Euclidean; 1 − cosine). Costs K passes over the rows.
    /// </summary>
    PlusPlus,

    /// <summary>
    /// k-means‖ (Bahmani et al., "Scalable k-means++", VLDB 2012): a few rounds that draw about 2K rows each, then weighted k-means++ on
    /// those. For large K: costs about ten assignment steps.
    /// </summary>
    Parallel,
}
