using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

/// <summary>How every row of a batch is mixed with another one.</summary>
/// <param name="Partners">π: the other row of each, i32 [N], 0 to N − 1. A row may be the partner of several, or its own.</param>
/// <param name="Weights">λ: the share of the row itself, f32 [N], 0 to 1.</param>
public readonly record struct RowMix(Tensor Partners, Tensor Weights);
