using System.Runtime.Intrinsics;

namespace Spk.Engine.Ops.Loss;

public static partial class L1
{
    private readonly partial struct Absolute
    {
        public static Vector512<float> Value(Vector512<float> difference) => Vector512.Abs(difference);

        public static Vector512<float> Slope(Vector512<float> difference)
        {
            // A zero and a NaN stay what they are.
            var moves = Vector512.GreaterThan(Vector512.Abs(difference), Vector512<float>.Zero);
            return Vector512.ConditionalSelect(moves, Vector512.CopySign(Vector512<float>.One, difference), difference);
        }
    }
}
