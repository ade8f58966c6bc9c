using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The second class of rows that were mixed out of two (i-mix, Lee et al., arXiv:2010.08887; l-mix on a latent): a row's loss is
/// λ times that of its own label plus 1 − λ times that of the second.
/// </summary>
/// <param name="Labels">Second class of every row, i32 [N].</param>
/// <param name="Weights">λ of every row, the share of its own label, f32 [N], 0 to 1.</param>
public readonly record struct LabelMix(Tensor Labels, Tensor Weights);
