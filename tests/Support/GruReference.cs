namespace Spk.Tests.Support;

/// <summary>Gated recurrent units in plain f64, unit by unit.</summary>
public static class GruReference
{
    /// <summary>States after every frame: gates in PyTorch's order, weights [3H, C] and [3H, H].</summary>
    public static double[] States(int n, int t, int c, int h, double[] x, double[] first, double[] wi, double[] wh, double[] bi, double[] bh)
    {
        var y = new double[n * t * h];
        for (int i = 0; i < n; i++)
        {
            double[] state = first[(i * h)..((i + 1) * h)];
            for (int f = 0; f < t; f++)
            {
                double[] input = x[(((i * t) + f) * c)..(((i * t) + f + 1) * c)], next = new double[h];
                for (int u = 0; u < h; u++)
                {
                    double r = Sigmoid(Affine(wi, bi, u, input) + Affine(wh, bh, u, state));
                    double z = Sigmoid(Affine(wi, bi, h + u, input) + Affine(wh, bh, h + u, state));
                    double fresh = Math.Tanh(Affine(wi, bi, (2 * h) + u, input) + (r * Affine(wh, bh, (2 * h) + u, state)));
                    next[u] = ((1 - z) * fresh) + (z * state[u]);
                }

                next.CopyTo(y, ((i * t) + f) * h);
                state = next;
            }
        }

        return y;
    }

    private static double Affine(double[] weight, double[] bias, int row, double[] x)
    {
        double sum = bias[row];
        for (int k = 0; k < x.Length; k++)
        {
            sum += weight[(row * x.Length) + k] * x[k];
        }

        return sum;
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
