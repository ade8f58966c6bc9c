// Information maximisation over logits [N, K]: L = H(Y|X) − μ H(Y), H(Y|X) the mean entropy of the rows' softmax p_i, H(Y) the entropy of the
// marginal p̄, which is the mean of the rows or (1 − s) p̄ + s · mean where a running one is given.
//
// rows      a block a row: its log softmax and its entropy, in f64
// marginal  a warp's width of columns a block, the rows dealt out to its lanes and added in lane order: p̄, its logarithm, its part of the entropy
// finish    one block: both entropies and the loss
// gradient  a block a row: (1/N) p_ik [−(log p_ik + H(p_i)) + μ s (log p̄_k − Σ_j p_ij log p̄_j)]
// Traffic: the logits three times forward (rows, marginal) and twice backward; nothing of size N·K is kept.
#include "common/log_softmax.cuh"

namespace {

using log_softmax::THREADS;

constexpr int SAVED = 3;  // Of a row: log softmax and entropy.
constexpr int LANES = 8;

__device__ __forceinline__ LogSoftmax softmax_of(const float* saved, int row) {
  LogSoftmax result;
  result.highest = saved[int64_t(row) * SAVED];
  result.log_sum = saved[int64_t(row) * SAVED + 1];
  return result;
}

}  // namespace

// Grid N, block 256.
KERNEL_BOUNDS(THREADS)
information_rows(const float* __restrict__ logits, int stride, int classes, float* __restrict__ saved, double* __restrict__ entropies) {
  __shared__ log_softmax::Scratch scratch;
  int row = blockIdx.x;
  const float* l = logits + int64_t(row) * stride;
  LogSoftmax softmax = log_softmax::of(l, classes, scratch);
  double sum = 0.0;
  for (int i = threadIdx.x; i < classes; i += THREADS) {
    float log = softmax.log(l[i]);
    sum += expf(log) * log;
  }
  sum = block_sum(sum, scratch.sums);
  if (threadIdx.x != 0) return;
  saved[int64_t(row) * SAVED] = softmax.highest;
  saved[int64_t(row) * SAVED + 1] = softmax.log_sum;
  saved[int64_t(row) * SAVED + 2] = float(-sum);
  entropies[row] = -sum;
}
EXPORT_KERNEL(information_rows)

// Grid K / 32, block (32, 8). running may be null. entropies [K].
KERNEL_BOUNDS(WARP* LANES)
information_marginal(const float* __restrict__ logits, int stride, int rows, int classes, const float* __restrict__ saved, float* __restrict__ running,
                     float share, float* __restrict__ log_marginal, double* __restrict__ entropies) {
  __shared__ float sums[LANES][WARP];
  int column = blockIdx.x * WARP + threadIdx.x;
  float sum = 0.0f;
  if (column < classes) {
    for (int row = threadIdx.y; row < rows; row += LANES) sum += expf(softmax_of(saved, row).log(logits[int64_t(row) * stride + column]));
  }
  sum = lane_sum<LANES, WARP>(sum, sums);
  if (column >= classes || threadIdx.y != 0) return;
  float marginal = sum / rows;
  if (running != nullptr) {
    marginal = (1.0f - share) * running[column] + share * marginal;
    running[column] = marginal;
  }
  float log = log_softmax::safe_log(marginal);
  log_marginal[column] = log;
  entropies[column] = -double(marginal) * log;
}
EXPORT_KERNEL(information_marginal)

// One block. entropies: H(Y|X), H(Y).
KERNEL_BOUNDS(THREADS)
information_finish(const double* __restrict__ row_entropies, int rows, const double* __restrict__ marginal_entropies, int classes, float marginal_weight,
                   float* __restrict__ loss, float* __restrict__ entropies) {
  __shared__ double scratch[THREADS / WARP];
  double conditional = 0.0, marginal = 0.0;
  for (int row = threadIdx.x; row < rows; row += THREADS) conditional += row_entropies[row];
  for (int i = threadIdx.x; i < classes; i += THREADS) marginal += marginal_entropies[i];
  conditional = block_sum(conditional, scratch) / rows;
  marginal = block_sum(marginal, scratch);
  if (threadIdx.x != 0) return;
  entropies[0] = float(conditional);
  entropies[1] = float(marginal);
  loss[0] = float(conditional - marginal_weight * marginal);
}
EXPORT_KERNEL(information_finish)

// Grid N, block 256. marginal_factor: μ s.
KERNEL_BOUNDS(THREADS)
information_gradient(const float* __restrict__ logits, int stride, int rows, int classes, const float* __restrict__ saved,
                     const float* __restrict__ log_marginal, float marginal_factor, const float* __restrict__ loss_gradient,
                     float* __restrict__ gradient, int gradient_stride, int accumulate) {
  __shared__ double scratch[THREADS / WARP];
  int row = blockIdx.x;
  const float* l = logits + int64_t(row) * stride;
  float* to = gradient + int64_t(row) * gradient_stride;
  LogSoftmax softmax = softmax_of(saved, row);
  double sum = 0.0;
  for (int i = threadIdx.x; i < classes; i += THREADS) sum += expf(softmax.log(l[i])) * log_marginal[i];
  float centre = float(marginal_factor * block_sum(sum, scratch)) + saved[int64_t(row) * SAVED + 2];
  float factor = *loss_gradient / rows;
  for (int i = threadIdx.x; i < classes; i += THREADS) {
    float log = softmax.log(l[i]);
    float value = factor * expf(log) * (marginal_factor * log_marginal[i] - log - centre);
    to[i] = accumulate != 0 ? to[i] + value : value;
  }
}
EXPORT_KERNEL(information_gradient)
