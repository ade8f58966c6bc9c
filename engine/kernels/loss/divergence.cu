// Mean over rows of KL(t_i ‖ softmax(l_i)): t_i is the softmax of row i mod R of target logits [R, K], or λ times that and 1 − λ times that of a
// second target row.
//
// rows: a block a row, the log softmax of prediction and targets, then Σ t (log t − log p) in f64; the mean is taken by mean_squared_mean.
// gradient: an element a thread and step, (p − t) / N with both made again. Traffic: both matrices three times forward and once backward.
#include "common/element_tiles.cuh"
#include "common/log_softmax.cuh"

namespace {

using log_softmax::THREADS;

constexpr int SAVED = 6;  // Of a row: log softmax of prediction, target and second target.

__device__ __forceinline__ LogSoftmax load(const float* saved) {
  LogSoftmax result;
  result.highest = saved[0];
  result.log_sum = saved[1];
  return result;
}

// The distribution that a row is compared with.
struct Target {
  const float *first, *second;
  LogSoftmax first_softmax, second_softmax;
  float weight;

  __device__ __forceinline__ Target(const float* targets, int stride, int rows, int64_t row, const int* seconds, const float* weights) {
    first = targets + row % rows * stride;
    weight = seconds == nullptr ? 1.0f : weights[row];
    second = weight == 1.0f ? nullptr : targets + int64_t(seconds[row]) * stride;
  }

  __device__ __forceinline__ float at(int i, float& log) const {
    log = first_softmax.log(first[i]);
    float value = expf(log);
    if (second == nullptr) return value;
    value = weight * value + (1.0f - weight) * expf(second_softmax.log(second[i]));
    log = log_softmax::safe_log(value);
    return value;
  }
};

}  // namespace

// Grid N, block 256. seconds and weights may be null. losses [N] in f64, NaN where a second row does not exist.
KERNEL_BOUNDS(THREADS)
divergence_rows(const float* __restrict__ targets, int target_stride, int target_rows, const float* __restrict__ logits, int stride, int classes,
                const int* __restrict__ seconds, const float* __restrict__ weights, float* __restrict__ saved, double* __restrict__ losses) {
  __shared__ log_softmax::Scratch scratch;
  int row = blockIdx.x;
  if (seconds != nullptr && (seconds[row] < 0 || seconds[row] >= target_rows)) {  // The whole block leaves.
    if (threadIdx.x == 0) losses[row] = double(__int_as_float(0x7fc00000));
    return;
  }
  const float* l = logits + int64_t(row) * stride;
  LogSoftmax own = log_softmax::of(l, classes, scratch);
  Target target(targets, target_stride, target_rows, row, seconds, weights);
  target.first_softmax = log_softmax::of(target.first, classes, scratch);
  target.second_softmax = target.second == nullptr ? target.first_softmax : log_softmax::of(target.second, classes, scratch);
  double sum = 0.0;
  for (int i = threadIdx.x; i < classes; i += THREADS) {
    float log, probability = target.at(i, log);
    sum += probability * (log - own.log(l[i]));
  }
  sum = block_sum(sum, scratch.sums);
  if (threadIdx.x != 0) return;
  float* to = saved + int64_t(row) * SAVED;
  to[0] = own.highest;
  to[1] = own.log_sum;
  to[2] = target.first_softmax.highest;
  to[3] = target.first_softmax.log_sum;
  to[4] = target.second_softmax.highest;
  to[5] = target.second_softmax.log_sum;
  losses[row] = sum;
}
EXPORT_KERNEL(divergence_rows)

// Tiles of common/element_tiles.cuh.
KERNEL_BOUNDS(element_tiles::THREADS)
divergence_gradient(const float* __restrict__ targets, int target_stride, int target_rows, const float* __restrict__ logits, int stride, int rows,
                    int classes, const int* __restrict__ seconds, const float* __restrict__ weights, const float* __restrict__ saved,
                    const float* __restrict__ loss_gradient, float* __restrict__ gradient, int gradient_stride, int accumulate) {
  float factor = *loss_gradient / rows;
  element_tiles::for_each(rows, classes, [&](int64_t row, int column) {
    const float* kept = saved + row * SAVED;
    if (seconds != nullptr && (seconds[row] < 0 || seconds[row] >= target_rows)) return;
    Target target(targets, target_stride, target_rows, row, seconds, weights);
    target.first_softmax = load(kept + 2);
    target.second_softmax = load(kept + 4);
    float log, probability = expf(load(kept).log(logits[row * stride + column]));
    float value = factor * (probability - target.at(column, log));
    float* to = gradient + row * gradient_stride + column;
    *to = accumulate != 0 ? *to + value : value;
  });
}
EXPORT_KERNEL(divergence_gradient)
