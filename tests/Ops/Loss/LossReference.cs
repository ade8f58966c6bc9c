using Spk.Engine.Ops.Loss;

namespace Spk.Tests.Ops.Loss;

/// <summary>The losses over cosines as plain f64 loops, written from the formulas and never tuned.</summary>
internal static class LossReference
{
    public static double[][] UnitRows(double[] x, int width)
    {
        var rows = new double[x.Length / width][];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = x[(i * width)..((i + 1) * width)];
            double norm = Math.Max(Math.Sqrt(rows[i].Sum(v => v * v)), 1e-12);
            rows[i] = [.. rows[i].Select(v => v / norm)];
        }

        return rows;
    }

    public static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    public static double Margin(MarginKind kind, double m, double c) => kind switch
    {
        MarginKind.None => c,
        MarginKind.Additive => c - m,
        _ => c > Math.Cos(Math.PI - m) ? Math.Cos(Math.Acos(Math.Clamp(c, -1, 1)) + m) : c - (m * Math.Sin(Math.PI - m)),
    };

    /// <summary>Mean over anchors of log-sum-exp minus the positive's logit; candidate j of anchor i counts if keep(i, j).</summary>
    public static double Loss(double[][] anchors, double[][] candidates, Func<int, int> positive, Func<int, int, bool> keep, MarginKind kind, double m, double scale)
    {
        double total = 0;
        for (int i = 0; i < anchors.Length; i++)
        {
            int p = positive(i);
            double target = scale * Margin(kind, m, Dot(anchors[i], candidates[p]));
            var logits = new List<double> { target };
            for (int j = 0; j < candidates.Length; j++)
            {
                if (j != p && keep(i, j))
                {
                    logits.Add(scale * Dot(anchors[i], candidates[j]));
                }
            }

            double highest = logits.Max();
            total += highest + Math.Log(logits.Sum(l => Math.Exp(l - highest))) - target;
        }

        return total / anchors.Length;
    }

    public static double NtXent(double[] z1, double[] z2, int width, double temperature, bool symmetric, MarginKind kind, double m, int[]? labels = null)
    {
        var a = UnitRows(z1, width);
        var b = UnitRows(z2, width);
        int n = a.Length;
        bool Differs(int i, int j) => labels is null || labels[i % n] < 0 || labels[i % n] != labels[j % n];
        if (!symmetric)
        {
            return Loss(a, b, i => i, Differs, kind, m, 1 / temperature);
        }

        double[][] z = [.. a, .. b];
        return Loss(z, z, i => (i + n) % (2 * n), (i, j) => i != j && Differs(i, j), kind, m, 1 / temperature);
    }

    public static double Classifier(double[] x, double[] w, int width, int[] labels, MarginKind kind, double m, double scale) =>
        Loss(UnitRows(x, width), UnitRows(w, width), i => labels[i], (_, _) => true, kind, m, scale);
}
