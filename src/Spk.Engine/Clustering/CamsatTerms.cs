namespace Spk.Engine.Clustering;

/// <summary>Values of the terms of a step, or their sums over steps; NaN where a term is not used.</summary>
internal struct CamsatTerms
{
    public double Loss, ConditionalEntropy, MarginalEntropy, Adversarial, Consistency, Symmetry, InfoNce, SupCon, Mixup;

    public void Add(in CamsatTerms other)
    {
        Loss += other.Loss;
        ConditionalEntropy += other.ConditionalEntropy;
        MarginalEntropy += other.MarginalEntropy;
        Adversarial += other.Adversarial;
        Consistency += other.Consistency;
        Symmetry += other.Symmetry;
        InfoNce += other.InfoNce;
        SupCon += other.SupCon;
        Mixup += other.Mixup;
    }

    public readonly CamsatTerms Over(int steps) => new()
    {
        Loss = Loss / steps,
        ConditionalEntropy = ConditionalEntropy / steps,
        MarginalEntropy = MarginalEntropy / steps,
        Adversarial = Adversarial / steps,
        Consistency = Consistency / steps,
        Symmetry = Symmetry / steps,
        InfoNce = InfoNce / steps,
        SupCon = SupCon / steps,
        Mixup = Mixup / steps,
    };
}
