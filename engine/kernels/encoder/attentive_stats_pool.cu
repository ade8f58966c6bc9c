// Attentive statistics pooling of x [N, T, C] by scores [N, T, C]: weights α = softmax of the scores over time, mean μ = Σ α x,
// deviation σ = √max(Σ α (x − μ)², ε). The linear maps before it are products of mat_mul.cu.
//
//   backward  u = dμ, v = dσ / (2σ), 0 at the floor;  dscore = α (u d + v (d² − variance));  dx = α (u + 2 v d);  d = x − μ
//
// A block of 32 channels × 8 frame lanes takes one utterance; lanes are added in order. Forward reads the scores three times and x twice
// (all but the first time from the second-level cache) and writes the weights over the scores; backward reads each once.
#include "common/element_tiles.cuh"
#include "common/time_sums.cuh"

namespace {

constexpr int COLUMNS = time_sums::COLUMNS, LANES = time_sums::LANES;

__device__ __forceinline__ float lane_max(float value, float (&lanes)[LANES][COLUMNS]) {
  lanes[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  float highest = lanes[0][threadIdx.x];
  for (int lane = 1; lane < LANES; lane++) highest = fmaxf(highest, lanes[lane][threadIdx.x]);
  __syncthreads();
  return highest;
}

}  // namespace

// hidden [N, T, H] += shared [N, H], the context's part, for all frames. Tiles of common/element_tiles.cuh.
KERNEL_BOUNDS(element_tiles::THREADS)
attentive_stats_pool_add_shared(float* __restrict__ hidden, int stride, const float* __restrict__ shared, int stride_shared, int rows, int frames,
                                int columns) {
  element_tiles::for_each(rows, columns, [&](int64_t row, int column) { hidden[row * stride + column] += shared[row / frames * stride_shared + column]; });
}
EXPORT_KERNEL(attentive_stats_pool_add_shared)

// Its backward: Σ_t of the gradient. Grid (columns / 32, utterances), block (32, 8).
KERNEL_BOUNDS(COLUMNS* LANES)
attentive_stats_pool_sum_shared(const float* __restrict__ gradient, int stride, int frames, int columns, float* __restrict__ shared, int stride_shared,
                                int accumulate) {
  float sum = time_sums::of_channel(gradient, stride, nullptr, 0, frames, columns);
  int column = blockIdx.x * COLUMNS + threadIdx.x;
  if (threadIdx.y != 0 || column >= columns) return;
  float* target = shared + int64_t(blockIdx.y) * stride_shared + column;
  *target = accumulate != 0 ? *target + sum : sum;
}
EXPORT_KERNEL(attentive_stats_pool_sum_shared)

// y [N, 2C], variances [N, C]. Grid (channels / 32, utterances), block (32, 8).
KERNEL_BOUNDS(COLUMNS* LANES)
attentive_stats_pool_forward(const float* __restrict__ x, int stride, float* __restrict__ scores, int stride_scores, int frames, int channels, float eps,
                             float* __restrict__ y, float* __restrict__ variances) {
  __shared__ float lanes[LANES][COLUMNS];
  int channel = blockIdx.x * COLUMNS + threadIdx.x;
  bool inside = channel < channels;
  int own = inside ? frames : 0;
  const float* from = x + int64_t(blockIdx.y) * frames * stride + channel;
  float* score = scores + int64_t(blockIdx.y) * frames * stride_scores + channel;
  float highest = inside ? score[0] : 0.0f;
  for (int t = threadIdx.y; t < own; t += LANES) highest = fmaxf(highest, score[int64_t(t) * stride_scores]);
  highest = lane_max(highest, lanes);

  // The mean about the first frame: the digits of a mean that is large against the deviation are kept.
  float sum = 0.0f, first = 0.0f, shift = inside ? from[0] : 0.0f;
  for (int t = threadIdx.y; t < own; t += LANES) {
    float weight = expf(score[int64_t(t) * stride_scores] - highest);
    sum += weight;
    first = fmaf(weight, from[int64_t(t) * stride] - shift, first);
  }
  float inverse = 1.0f / lane_sum(sum, lanes);
  float mean = shift + lane_sum(first, lanes) * inverse;
  float variance = 0.0f;
  for (int t = threadIdx.y; t < own; t += LANES) {
    float weight = expf(score[int64_t(t) * stride_scores] - highest) * inverse, centred = from[int64_t(t) * stride] - mean;
    score[int64_t(t) * stride_scores] = weight;
    variance = fmaf(weight * centred, centred, variance);
  }
  variance = lane_sum(variance, lanes);
  if (threadIdx.y != 0 || !inside) return;
  y[int64_t(blockIdx.y) * 2 * channels + channel] = mean;
  y[int64_t(blockIdx.y) * 2 * channels + channels + channel] = sqrtf(variance < eps ? eps : variance);  // A comparison keeps a NaN.
  variances[int64_t(blockIdx.y) * channels + channel] = variance;
}
EXPORT_KERNEL(attentive_stats_pool_forward)

// dx may be null; score_gradient may be the weights' memory: each element is read before it is written.
// Grid (channels / 32, utterances, frames / each), block (32, 8).
KERNEL_BOUNDS(COLUMNS* LANES)
attentive_stats_pool_backward(const float* __restrict__ x, int stride, const float* weights, int stride_weights, const float* __restrict__ y,
                              const float* __restrict__ variances, const float* __restrict__ dy, int stride_dy, float* __restrict__ dx, int stride_dx,
                              int accumulate, float* score_gradient, int stride_score_gradient, int frames, int each, int channels, float eps) {
  int channel = blockIdx.x * COLUMNS + threadIdx.x;
  if (channel >= channels) return;
  float mean = y[int64_t(blockIdx.y) * 2 * channels + channel], deviation = y[int64_t(blockIdx.y) * 2 * channels + channels + channel];
  float variance = variances[int64_t(blockIdx.y) * channels + channel];
  float u = dy[int64_t(blockIdx.y) * stride_dy + channel];
  float v = variance < eps ? 0.0f : 0.5f * dy[int64_t(blockIdx.y) * stride_dy + channels + channel] / deviation;
  int end = min(frames, int(blockIdx.z + 1) * each);
  for (int t = blockIdx.z * each + threadIdx.y; t < end; t += LANES) {
    int64_t row = int64_t(blockIdx.y) * frames + t;
    float weight = weights[row * stride_weights + channel], centred = x[row * stride + channel] - mean;
    if (dx != nullptr) {
      float* target = dx + row * stride_dx + channel;
      float gradient = weight * fmaf(2.0f * v, centred, u);
      *target = accumulate != 0 ? *target + gradient : gradient;
    }
    score_gradient[row * stride_score_gradient + channel] = weight * fmaf(v, fmaf(centred, centred, -variance), u * centred);
  }
}
EXPORT_KERNEL(attentive_stats_pool_backward)
