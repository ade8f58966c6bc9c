using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>A linear map or convolution that can work for the batch norm behind it, see <see cref="BatchNormLayer.Follow"/>.</summary>
internal interface INormedMap
{
    /// <summary>The map alone, with its part in the norm.</summary>
    Tensor Forward(Tape? tape, Tensor x, Tensor? output, BatchNormEpilogue? norm);
}
