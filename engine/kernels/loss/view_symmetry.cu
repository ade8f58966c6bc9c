// Symmetry of views: mean over items of (1/V) Σ_v KL(p_v ‖ m), m = Σ_v π_v p_v, of logits [V·N, K], view after view.
//
// items: a block an item; the log softmax of its views, then log m (and Σ_v p_v / m where the weights are not equal), a column a thread and step,
// then the views one after the other against what the same threads have just written. The mean is taken by mean_squared_mean.
// gradient: an element a thread and step, (1/(N V)) p_vk (c_vk − Σ_j p_vj c_vj), c_vk = log(p_vk / m_k) − π_v Σ_w p_wk / m_k; the second term is 1
// for equal weights and cancels. Traffic: the logits four times forward and once backward, log m once each way.
#include "common/element_tiles.cuh"
#include "common/log_softmax.cuh"

namespace {

using log_softmax::THREADS;

constexpr int SAVED = 3;  // Of a view of an item: log softmax and Σ_j p_j c_j.

__device__ __forceinline__ LogSoftmax softmax_of(const float* saved, int64_t row) {
  LogSoftmax result;
  result.highest = saved[row * SAVED];
  result.log_sum = saved[row * SAVED + 1];
  return result;
}

}  // namespace

// Grid N, block 256. weights [N, V] and ratio [N, K] may be null, both or none. losses [N] in f64.
KERNEL_BOUNDS(THREADS)
view_symmetry_items(const float* __restrict__ logits, int views, int items, int classes, const float* __restrict__ weights, float* __restrict__ saved,
                    float* __restrict__ log_mixture, float* __restrict__ ratio, double* __restrict__ losses) {
  __shared__ log_softmax::Scratch scratch;
  int item = blockIdx.x;
  for (int view = 0; view < views; view++) {
    int64_t row = int64_t(view) * items + item;
    LogSoftmax softmax = log_softmax::of(logits + row * classes, classes, scratch);
    if (threadIdx.x == 0) {
      saved[row * SAVED] = softmax.highest;
      saved[row * SAVED + 1] = softmax.log_sum;
    }
  }
  __syncthreads();
  float* mixtures = log_mixture + int64_t(item) * classes;
  float* ratios = ratio == nullptr ? nullptr : ratio + int64_t(item) * classes;
  for (int i = threadIdx.x; i < classes; i += THREADS) {
    float mixture = 0.0f, total = 0.0f;
    for (int view = 0; view < views; view++) {
      int64_t row = int64_t(view) * items + item;
      float probability = expf(softmax_of(saved, row).log(logits[row * classes + i]));
      mixture += probability * (weights == nullptr ? 1.0f / views : weights[int64_t(item) * views + view]);
      total += probability;
    }
    mixture = mixture < 1e-37f ? 1e-37f : mixture;  // So that its logarithm times a probability of 0 is 0.
    mixtures[i] = logf(mixture);
    if (ratios != nullptr) ratios[i] = total / mixture;
  }
  double loss = 0.0;
  for (int view = 0; view < views; view++) {
    int64_t row = int64_t(view) * items + item;
    LogSoftmax softmax = softmax_of(saved, row);
    double divergence = 0.0, pull = 0.0;
    for (int i = threadIdx.x; i < classes; i += THREADS) {
      float log = softmax.log(logits[row * classes + i]), probability = expf(log);
      divergence += probability * (log - mixtures[i]);
      if (ratios != nullptr) pull += probability * ratios[i];
    }
    divergence = block_sum(divergence, scratch.sums);
    pull = block_sum(pull, scratch.sums);
    loss += divergence;
    if (threadIdx.x == 0) {
      saved[row * SAVED + 2] = float(divergence - (weights == nullptr ? 0.0 : weights[int64_t(item) * views + view] * pull));
    }
  }
  if (threadIdx.x == 0) losses[item] = loss / views;
}
EXPORT_KERNEL(view_symmetry_items)

// Tiles of common/element_tiles.cuh over [V·N, K].
KERNEL_BOUNDS(element_tiles::THREADS)
view_symmetry_gradient(const float* __restrict__ logits, int views, int items, int classes, const float* __restrict__ weights,
                       const float* __restrict__ saved, const float* __restrict__ log_mixture, const float* __restrict__ ratio,
                       const float* __restrict__ loss_gradient, float* __restrict__ gradient, int gradient_stride, int accumulate) {
  float factor = *loss_gradient / (float(views) * items);
  element_tiles::for_each(views * items, classes, [&](int64_t row, int column) {
    int64_t item = row % items, at = item * classes + column;
    float log = softmax_of(saved, row).log(logits[row * classes + column]);
    float slope = log - log_mixture[at] - saved[row * SAVED + 2];
    if (ratio != nullptr) slope -= weights[item * views + row / items] * ratio[at];
    float value = factor * expf(log) * slope;
    float* to = gradient + row * gradient_stride + column;
    *to = accumulate != 0 ? *to + value : value;
  });
}
EXPORT_KERNEL(view_symmetry_gradient)
