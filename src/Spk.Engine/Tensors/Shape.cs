using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Spk.Interop;

namespace Spk.Engine.Tensors;

/// <summary>Lengths of up to four axes, slowest first; the last axis is contiguous in memory.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly int _d0, _d1, _d2, _d3;

    /// <summary>A vector of <paramref name="d0"/> elements.</summary>
    /// <param name="d0">Length, 0 or more.</param>
    public Shape(int d0) : this(1, d0, 1, 1, 1) { }

    /// <summary>A matrix.</summary>
    /// <param name="d0">Rows.</param>
    /// <param name="d1">Columns.</param>
    public Shape(int d0, int d1) : this(2, d0, d1, 1, 1) { }

    /// <summary>Three axes, for activations [N, T, C].</summary>
    /// <param name="d0">Slowest axis.</param>
    /// <param name="d1">Middle axis.</param>
    /// <param name="d2">Contiguous axis.</param>
    public Shape(int d0, int d1, int d2) : this(3, d0, d1, d2, 1) { }

    /// <summary>Four axes.</summary>
    /// <param name="d0">Slowest axis.</param>
    /// <param name="d1">Second axis.</param>
    /// <param name="d2">Third axis.</param>
    /// <param name="d3">Contiguous axis.</param>
    public Shape(int d0, int d1, int d2, int d3) : this(4, d0, d1, d2, d3) { }

    private Shape(int rank, int d0, int d1, int d2, int d3)
    {
        if ((d0 | d1 | d2 | d3) < 0)
        {
            throw new ShapeException($"A shape needs lengths of 0 or more, not [{d0}, {d1}, {d2}, {d3}].");
        }

        long count = checked((long)d0 * d1 * d2 * d3);
        if (count > int.MaxValue)
        {
            throw new ShapeException($"A tensor of {count} elements is above the limit of {int.MaxValue}: use a smaller batch.");
        }

        Rank = rank;
        (_d0, _d1, _d2, _d3) = (d0, d1, d2, d3);
    }

    /// <summary>Number of axes, 0 (a default value) to 4.</summary>
    public int Rank { get; }

    /// <summary>Number of elements.</summary>
    public int Count => Rank == 0 ? 0 : _d0 * _d1 * _d2 * _d3;

    /// <summary>Length of the contiguous axis.</summary>
    public int Last => Rank == 0 ? 0 : this[Rank - 1];

    /// <summary>Product of all axes but the last.</summary>
    public int Rows => Rank switch { 0 => 0, 1 => 1, 2 => _d0, 3 => _d0 * _d1, _ => _d0 * _d1 * _d2 };

    /// <summary>Length of one axis.</summary>
    /// <param name="axis">0 for the slowest.</param>
    public int this[int axis]
    {
        get
        {
            if ((uint)axis >= (uint)Rank)
            {
                throw new ArgumentOutOfRangeException(nameof(axis));
            }

            return axis switch { 0 => _d0, 1 => _d1, 2 => _d2, _ => _d3 };
        }
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) =>
        Rank == other.Rank && _d0 == other._d0 && _d1 == other._d1 && _d2 == other._d2 && _d3 == other._d3;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, _d0, _d1, _d2, _d3);

    /// <summary>Whether all axes agree.</summary>
    /// <param name="left">One shape.</param>
    /// <param name="right">The other.</param>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Whether some axis differs.</summary>
    /// <param name="left">One shape.</param>
    /// <param name="right">The other.</param>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    /// <summary>The lengths in brackets, such as "[64, 201, 40]".</summary>
    public override string ToString()
    {
        var lengths = new string[Rank];
        for (int i = 0; i < Rank; i++)
        {
            lengths[i] = this[i].ToString(CultureInfo.InvariantCulture);
        }

        return "[" + string.Join(", ", lengths) + "]";
    }
}
