using System.Runtime.Intrinsics;

namespace Spk.Engine.Ops.Loss;

public static partial class MeanSquared
{
    private readonly partial struct Squared
    {
        public static Vector512<float> Value(Vector512<float> difference) => difference * difference;

        public static Vector512<float> Slope(Vector512<float> difference) => difference + difference;
    }
}
