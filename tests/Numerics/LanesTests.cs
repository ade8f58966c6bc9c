using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Tests.Support;

namespace Spk.Tests.Numerics;

/// <summary>Both numbers of lanes on any processor, whichever it would use itself; <see cref="InstructionSetTests"/> repeats this with less of it.</summary>
public sealed unsafe class LanesTests
{
    [TestCase("DOTNET_EnableAVX512")]
    [TestCase("DOTNET_EnableAVX2")]
    [TestCase("DOTNET_EnableHWIntrinsic")]
    public void Instructions_that_are_switched_off_are_not_used(string variable)
    {
        if (Environment.GetEnvironmentVariable(variable) != "0")
        {
            Assert.Pass("switched on");
        }

        bool used = variable switch
        {
            "DOTNET_EnableAVX512" => Avx512F.IsSupported,
            "DOTNET_EnableAVX2" => Avx2.IsSupported,
            _ => Sse42.IsSupported,
        };
        Assert.That(used, Is.False);
    }

    [Test]
    public void Transpose_puts_rows_side_by_side([Values(8, 16)] int lanes, [Values(0, 1, 3, 4, 5, 16, 31, 400)] int columns, [Values(0, 3)] int gap)
    {
        int stride = lanes + gap;
        var source = Samples.Normal(1, lanes * (columns + 1));
        var got = Enumerable.Repeat(float.NaN, (columns + 1) * stride).ToArray();
        var want = (float[])got.Clone();
        fixed (float* from = source, to = got)
        {
            float** rows = stackalloc float*[lanes];
            for (int r = 0; r < lanes; r++)
            {
                rows[r] = from + (r * (columns + 1));
                for (int c = 0; c < columns; c++)
                {
                    want[(c * stride) + r] = rows[r][c];
                }
            }

            if (lanes == 8)
            {
                EightLanes.Transpose(rows, columns, to, stride);
            }
            else
            {
                SixteenLanes.Transpose(rows, columns, to, stride);
            }
        }

        Assert.That(got, Is.EqualTo(want));
    }

    [Test]
    public void Moves_within_a_vector_keep_every_element([Values(8, 16)] int lanes)
    {
        var x = Samples.Normal(2, 2 * lanes);
        var even = new float[lanes];
        var odd = new float[lanes];
        var together = new float[2 * lanes];
        var backwards = new float[lanes];
        fixed (float* source = x, e = even, o = odd, t = together, b = backwards)
        {
            if (lanes == 8)
            {
                Move<EightLanes>(source, e, o, t, b);
            }
            else
            {
                Move<SixteenLanes>(source, e, o, t, b);
            }
        }

        Assert.That(even, Is.EqualTo(x.Where((_, i) => i % 2 == 0)));
        Assert.That(odd, Is.EqualTo(x.Where((_, i) => i % 2 == 1)));
        Assert.That(together, Is.EqualTo(x));
        Assert.That(backwards, Is.EqualTo(x[..lanes].Reverse()));
    }

    [Test]
    public void Arithmetic_is_that_of_single_floats([Values(8, 16)] int lanes)
    {
        var a = Samples.Normal(3, lanes);
        var b = Samples.Normal(4, lanes);
        var c = Samples.Normal(5, lanes);
        var exact = new float[7 * lanes];
        var close = new float[3 * lanes];
        fixed (float* x = a, y = b, z = c, e = exact, f = close)
        {
            if (lanes == 8)
            {
                Compute<EightLanes>(x, y, z, e, f);
            }
            else
            {
                Compute<SixteenLanes>(x, y, z, e, f);
            }
        }

        var i = Enumerable.Range(0, lanes).ToArray();
        float[] want =
        [
            .. i.Select(k => a[k] + b[k]), .. i.Select(k => a[k] - b[k]), .. i.Select(k => a[k] * b[k]), .. i.Select(k => -a[k]),
            .. i.Select(k => MathF.FusedMultiplyAdd(a[k], b[k], c[k])), .. i.Select(k => MathF.Max(a[k], b[k])),
            .. i.Select(k => MathF.Sqrt(a[k] * a[k])),
        ];
        Assert.That(exact, Is.EqualTo(want));
        double[] near = [.. i.Select(k => Math.Log(a[k] * a[k])), .. i.Select(k => Math.Sin(a[k])), .. i.Select(k => Math.Cos(a[k]))];
        Close.Assert(close, near, Tolerance.ElementWise * near.Max(Math.Abs), "logarithm, sine, cosine");
    }

    [Test]
    public void Words_are_those_of_unsigned_integers([Values(8, 16)] int lanes)
    {
        const uint Factor = 0xD2511F53;
        uint[] a = [.. Enumerable.Range(0, lanes).Select(i => 0x9E3779B9u * (uint)(i + 1)), uint.MaxValue];
        a[1] = uint.MaxValue;
        uint[] b = [.. a.Select(x => x ^ 0x12345678u)];
        var got = new uint[5 * lanes];
        var upper = new float[lanes];
        fixed (uint* x = a, y = b, g = got)
        fixed (float* u = upper)
        {
            if (lanes == 8)
            {
                EightWords.Multiply(EightWords.Load(x), Factor, out var high, out var low);
                high.Value.CopyTo(got, 0);
                low.Value.CopyTo(got, 8);
                (EightWords.Load(x) + EightWords.Load(y)).Value.CopyTo(got, 16);
                (EightWords.Load(x) * EightWords.Load(y)).Value.CopyTo(got, 24);
                (EightWords.Load(x) ^ EightWords.Create(Factor)).Value.CopyTo(got, 32);
                EightWords.Upper24(EightWords.Load(x)).Store(u);
            }
            else
            {
                SixteenWords.Multiply(SixteenWords.Load(x), Factor, out var high, out var low);
                high.Value.CopyTo(got, 0);
                low.Value.CopyTo(got, 16);
                (SixteenWords.Load(x) + SixteenWords.Load(y)).Value.CopyTo(got, 32);
                (SixteenWords.Load(x) * SixteenWords.Load(y)).Value.CopyTo(got, 48);
                (SixteenWords.Load(x) ^ SixteenWords.Create(Factor)).Value.CopyTo(got, 64);
                SixteenWords.Upper24(SixteenWords.Load(x)).Store(u);
            }
        }

        var i = Enumerable.Range(0, lanes).ToArray();
        uint[] want =
        [
            .. i.Select(k => (uint)(((ulong)a[k] * Factor) >> 32)), .. i.Select(k => a[k] * Factor), .. i.Select(k => a[k] + b[k]),
            .. i.Select(k => a[k] * b[k]), .. i.Select(k => a[k] ^ Factor),
        ];
        Assert.That(got, Is.EqualTo(want));
        Assert.That(upper, Is.EqualTo(i.Select(k => (float)(a[k] >> 8))));
    }

    private static void Move<TLanes>(float* source, float* even, float* odd, float* together, float* backwards)
        where TLanes : unmanaged, ILanes<TLanes>
    {
        TLanes.Deinterleave(source, out var e, out var o);
        e.Store(even);
        o.Store(odd);
        TLanes.Interleave(e, o, together);
        TLanes.Reverse(TLanes.Load(source)).Store(backwards);
    }

    private static void Compute<TLanes>(float* a, float* b, float* c, float* exact, float* close) where TLanes : unmanaged, ILanes<TLanes>
    {
        var (x, y, z) = (TLanes.Load(a), TLanes.Load(b), TLanes.Load(c));
        TLanes[] results = [x + y, x - y, x * y, -x, TLanes.FusedMultiplyAdd(x, y, z), TLanes.Max(x, y), TLanes.Sqrt(x * x)];
        foreach (var result in results)
        {
            result.Store(exact);
            exact += TLanes.Count;
        }

        TLanes.Log(x * x).Store(close);
        var (sin, cos) = TLanes.SinCos(x);
        sin.Store(close + TLanes.Count);
        cos.Store(close + (2 * TLanes.Count));
    }
}
