// Mean cosine κ within dialogues, and weights from it: σ(slope · (κ − threshold)), max(0, κ), softmax(slope · κ), or the most compact. Row u · N + j is utterance u of dialogue j.
//
// cosines: a warp a dialogue, all pairs of its unit rows, f32 products summed in f64. weights: one block; with a state the running mean and
// deviation of κ move first and then are threshold and scale of the slope, which lies on the device where it changes from step to step. Softmax and ranks read all of κ for each dialogue.
#include "common/reduce.cuh"

namespace {

constexpr int WARPS = 4, THREADS = 256;

enum Rule { SIGMOID, RECTIFIED, SOFTMAX, TOP };

}

KERNEL_BOUNDS(WARPS* WARP)
dialogue_compactness_cosines(const float* __restrict__ unit, int utterances, int dialogues, int width, float* __restrict__ compactness) {
  int dialogue = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (dialogue >= dialogues) return;  // Whole warps leave.
  double sum = 0.0;
  for (int a = 1; a < utterances; a++) {
    const float* first = unit + int64_t(a * dialogues + dialogue) * width;
    for (int b = 0; b < a; b++) {
      const float* second = unit + int64_t(b * dialogues + dialogue) * width;
      for (int i = lane; i < width; i += WARP) sum += first[i] * second[i];
    }
  }
  sum = warp_sum(sum);
  if (lane == 0) compactness[dialogue] = float(2.0 * sum / (double(utterances) * (utterances - 1)));
}
EXPORT_KERNEL(dialogue_compactness_cosines)

KERNEL_BOUNDS(THREADS)
dialogue_compactness_weights(const float* __restrict__ compactness, int count, float* __restrict__ state, int rule,
                             const float* __restrict__ moving_slope, float fixed_slope, float fixed_threshold, float momentum, int kept_count, int normalize, float* __restrict__ weights) {
  __shared__ double scratch[THREADS / WARP];
  double slope = moving_slope != nullptr ? *moving_slope : fixed_slope, threshold = fixed_threshold;
  if (state != nullptr) {
    double sum = 0.0, squares = 0.0;
    for (int j = threadIdx.x; j < count; j += THREADS) sum += compactness[j];
    double mean = block_sum(sum, scratch) / count;
    for (int j = threadIdx.x; j < count; j += THREADS) squares += (compactness[j] - mean) * (compactness[j] - mean);
    double deviation = sqrt(block_sum(squares, scratch) / count), kept = state[0] == 0.0f && state[1] == 0.0f ? 0.0 : momentum;
    float next_mean = float(kept * state[0] + (1.0 - kept) * mean), next_deviation = float(kept * state[1] + (1.0 - kept) * deviation);
    __syncthreads();  // All have read the state.
    if (threadIdx.x == 0) {
      state[0] = next_mean;
      state[1] = next_deviation;
    }
    threshold = next_mean;
    slope /= next_deviation + 1e-6;
  }
  double sum = 0.0;
  for (int j = threadIdx.x; j < count; j += THREADS) {
    float own = compactness[j];
    double weight = 0.0;
    if (rule == SIGMOID || rule == SOFTMAX) {
      // Both are one over a sum of ratios, which overflows to a weight of 0 where another dialogue, or the threshold, is far above.
      double ratios = rule == SIGMOID ? 1.0 : 0.0;
      int terms = rule == SIGMOID ? 1 : count;
      for (int k = 0; k < terms; k++) ratios += exp(slope * ((rule == SIGMOID ? threshold : double(compactness[k])) - own));
      weight = 1.0 / ratios;
    } else if (rule == RECTIFIED) {
      weight = own > 0.0f ? own : 0.0;
    } else {
      int rank = 0;
      for (int k = 0; k < count; k++) rank += compactness[k] > own || (compactness[k] == own && k < j);
      weight = rank < kept_count ? 1.0 : 0.0;
    }
    weights[j] = float(weight);
    sum += weights[j];
  }
  if (normalize == 0) return;
  sum = block_sum(sum, scratch);
  for (int j = threadIdx.x; j < count; j += THREADS) weights[j] = sum > 0.0 ? float(weights[j] * count / sum) : 1.0f;
}
EXPORT_KERNEL(dialogue_compactness_weights)
