namespace Spk.Engine.Numerics;

/// <summary>The 32-bit words beside <see cref="ILanes{TSelf}"/>: one for each row, for random numbers.</summary>
internal unsafe interface ILaneWords<TSelf, TLanes>
    where TSelf : unmanaged, ILaneWords<TSelf, TLanes>
    where TLanes : unmanaged, ILanes<TLanes>
{
    /// <summary>Reads one word for each lane.</summary>
    static abstract TSelf Load(uint* source);

    /// <summary>The same word in all lanes.</summary>
    static abstract TSelf Create(uint value);

    static abstract TSelf operator +(TSelf a, TSelf b);

    /// <summary>The lower halves of the products.</summary>
    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator ^(TSelf a, TSelf b);

    /// <summary>Both halves of the products with one factor.</summary>
    static abstract void Multiply(TSelf a, uint factor, out TSelf high, out TSelf low);

    /// <summary>The upper 24 bits as numbers from 0 to 2^24 − 1.</summary>
    static abstract TLanes Upper24(TSelf a);
}
