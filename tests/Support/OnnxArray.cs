namespace Spk.Tests.Support;

/// <summary>An array in f64 of up to four axes; missing ones count as 1 and stand behind the others.</summary>
internal sealed record OnnxArray(double[] Data, int[] Shape)
{
    public double this[int a, int b, int c = 0, int d = 0] => Data[(((((a * Axis(1)) + b) * Axis(2)) + c) * Axis(3)) + d];

    public static OnnxArray Of(int[] shape, Func<int, int, int, int, double> value)
    {
        int[] axes = [.. shape, .. Enumerable.Repeat(1, 4 - shape.Length)];
        var data = new double[axes[0] * axes[1] * axes[2] * axes[3]];
        for (int i = 0; i < data.Length; i++)
        {
            data[i] = value(i / (axes[1] * axes[2] * axes[3]), i / (axes[2] * axes[3]) % axes[1], i / axes[3] % axes[2], i % axes[3]);
        }

        return new OnnxArray(data, shape);
    }

    /// <summary>Element by element. Axes are aligned at the last one, as ONNX does; those of length 1 are repeated.</summary>
    public static OnnxArray Zip(OnnxArray a, OnnxArray b, Func<double, double, double> f)
    {
        OnnxArray x = a.Aligned(), y = b.Aligned();
        int[] shape = [.. x.Shape.Zip(y.Shape, Math.Max)];
        var all = Of(shape, (i, j, k, l) => f(x.Repeated(i, j, k, l), y.Repeated(i, j, k, l)));
        return new OnnxArray(all.Data, shape[(4 - Math.Max(a.Shape.Length, b.Shape.Length))..]);
    }

    public int Axis(int axis) => axis < Shape.Length ? Shape[axis] : 1;

    public OnnxArray Map(Func<double, double> f) => new([.. Data.Select(f)], Shape);

    public OnnxArray Transpose(int[] permutation)
    {
        int[] from = new int[4];
        return Of([.. permutation.Select(Axis)], (a, b, c, d) =>
        {
            int[] at = [a, b, c, d];
            for (int axis = 0; axis < permutation.Length; axis++)
            {
                from[permutation[axis]] = at[axis];
            }

            return this[from[0], from[1], from[2], from[3]];
        });
    }

    /// <summary>Another shape: 0 keeps the axis at that place, −1 is what remains.</summary>
    public OnnxArray Reshape(double[] wanted)
    {
        int[] shape = [.. wanted.Select((length, axis) => length == 0 ? Shape[axis] : (int)length)];
        int free = Array.IndexOf(shape, -1);
        if (free >= 0)
        {
            shape[free] = Data.Length / shape.Where(length => length > 0).Aggregate(1, (a, b) => a * b);
        }

        return new OnnxArray(Data, shape);
    }

    private double Repeated(int a, int b, int c, int d) =>
        this[Math.Min(a, Shape[0] - 1), Math.Min(b, Shape[1] - 1), Math.Min(c, Shape[2] - 1), Math.Min(d, Shape[3] - 1)];

    private OnnxArray Aligned() => new(Data, [.. Enumerable.Repeat(1, 4 - Shape.Length), .. Shape]);
}
