// Softmax cross-entropy over logits [N, K] that lie in memory: L = mean_i (log Σ_k exp(l_ik) − λ_i l_iy − (1 − λ_i) l_iy'), y the own class of a
// row and y' the second class of a mixed one.
//
// rows: a block a row, powers of differences from the highest logit, their sum and the loss in f64. gradient: an element a thread and step,
// (softmax − λ [y] − (1 − λ) [y']) / N with the power made again. Traffic: the logits twice forward and once backward; nothing of size N·K is kept.
#include "common/element_tiles.cuh"
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 256;

struct RowTargets {
  int own, second;
  float weight;
};

// Without labels row i is of class i; without second labels the own class is both.
__device__ __forceinline__ RowTargets targets_of(int row, const int* labels, const int* second, const float* weights) {
  RowTargets result;
  result.own = labels == nullptr ? row : labels[row];
  result.second = second == nullptr ? result.own : second[row];
  result.weight = weights == nullptr ? 1.0f : weights[row];
  return result;
}

}  // namespace

// saved [N, 2]: the highest logit and 1 / Σ exp(l − highest). losses [N] in f64, NaN where a label is no class. Grid N, block 256.
KERNEL_BOUNDS(THREADS)
cross_entropy_rows(const float* __restrict__ logits, int stride, int classes, const int* __restrict__ labels, const int* __restrict__ second,
                   const float* __restrict__ weights, float* __restrict__ saved, double* __restrict__ losses, int* __restrict__ hits) {
  __shared__ float maxima[THREADS / WARP];
  __shared__ double sums[THREADS / WARP];
  int row = blockIdx.x;
  const float* l = logits + int64_t(row) * stride;
  float highest = l[0];
  for (int i = threadIdx.x; i < classes; i += THREADS) highest = fmaxf(highest, l[i]);
  highest = warp_max(highest);
  if (threadIdx.x % WARP == 0) maxima[threadIdx.x / WARP] = highest;
  __syncthreads();
  for (int warp = 0; warp < THREADS / WARP; warp++) highest = fmaxf(highest, maxima[warp]);
  double sum = 0.0;
  for (int i = threadIdx.x; i < classes; i += THREADS) sum += expf(l[i] - highest);  // A NaN that the maximum passed by comes in here.
  sum = block_sum(sum, sums);
  if (threadIdx.x != 0) return;
  RowTargets target = targets_of(row, labels, second, weights);
  saved[2 * row] = highest;
  saved[2 * row + 1] = float(1.0 / sum);
  bool known = target.own >= 0 && target.own < classes && target.second >= 0 && target.second < classes;
  double weight = target.weight;
  losses[row] = known ? log(sum) + weight * (double(highest) - l[target.own]) + (1.0 - weight) * (double(highest) - l[target.second])
                      : double(__int_as_float(0x7fc00000));
  hits[row] = known && l[target.own] >= highest ? 1 : 0;
}
EXPORT_KERNEL(cross_entropy_rows)

// One block: the mean loss and the share of hits.
KERNEL_BOUNDS(THREADS)
cross_entropy_mean(const double* __restrict__ losses, const int* __restrict__ hits, int rows, float* __restrict__ loss, float* __restrict__ accuracy) {
  __shared__ double scratch[THREADS / WARP];
  double sum = 0.0, hit = 0.0;
  for (int row = threadIdx.x; row < rows; row += THREADS) {
    sum += losses[row];
    hit += hits[row];
  }
  sum = block_sum(sum, scratch);
  hit = block_sum(hit, scratch);
  if (threadIdx.x != 0) return;
  loss[0] = float(sum / rows);
  accuracy[0] = float(hit / rows);
}
EXPORT_KERNEL(cross_entropy_mean)

// Tiles of common/element_tiles.cuh.
KERNEL_BOUNDS(element_tiles::THREADS)
cross_entropy_gradient(const float* __restrict__ logits, int stride, int rows, int classes, const int* __restrict__ labels,
                       const int* __restrict__ second, const float* __restrict__ weights, const float* __restrict__ saved,
                       const float* __restrict__ loss_gradient, float* __restrict__ gradient, int gradient_stride, int accumulate) {
  float factor = *loss_gradient / rows;
  element_tiles::for_each(rows, classes, [&](int64_t row, int column) {
    RowTargets target = targets_of(int(row), labels, second, weights);
    float value = factor * (expf(logits[row * stride + column] - saved[2 * row]) * saved[2 * row + 1]);
    if (column == target.own) value -= factor * target.weight;
    if (column == target.second) value -= factor * (1.0f - target.weight);
    float* to = gradient + row * gradient_stride + column;
    *to = accumulate != 0 ? *to + value : value;
  });
}
EXPORT_KERNEL(cross_entropy_gradient)
