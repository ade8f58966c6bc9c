// Self-attentive pooling of maps [N, H, T, C]: m = mean over H; w = softmax over t of tanh(A m + b) · a; y = Σ_t w m.
// A m + b and tanh are those of mat_mul.cu and activation.cu; here are the mean and what follows the hidden units [N, T, D].
//
//   backward  g_t = dy · m_t;  ds_t = w_t (g_t − dy · y);  dm_t = w_t dy;  dhidden_t = ds_t a;  da = Σ ds_t hidden_t (by utterance, then added)
//
// Sums over channels run over a warp, sums over time in order: the same bits always.
// Traffic: the mean reads x once; attending reads hidden and m once, backward both twice.
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP;

__device__ __forceinline__ float warp_dot(const float* __restrict__ x, const float* __restrict__ y, int count) {
  float sum = 0.0f;
  for (int i = threadIdx.x % WARP; i < count; i += WARP) sum = fmaf(x[i], y[i], sum);
  return warp_sum(sum);
}

}  // namespace

// frames [N, elements] = mean over the rows of x [N, rows, elements]. Grid (elements / 256, N), block 256.
KERNEL_BOUNDS(THREADS)
self_attentive_pool_mean(const float* __restrict__ x, int rows, int elements, float* __restrict__ frames) {
  int element = blockIdx.x * THREADS + threadIdx.x;
  if (element >= elements) return;
  const float* from = x + int64_t(blockIdx.y) * rows * elements + element;
  float sum = 0.0f;
  for (int row = 0; row < rows; row++) sum += from[int64_t(row) * elements];
  frames[int64_t(blockIdx.y) * elements + element] = sum / rows;
}
EXPORT_KERNEL(self_attentive_pool_mean)

// Every row gets its share. Grid (elements / 256, N), block 256.
KERNEL_BOUNDS(THREADS)
self_attentive_pool_mean_backward(const float* __restrict__ gradient, int rows, int elements, float* __restrict__ dx, int accumulate) {
  int element = blockIdx.x * THREADS + threadIdx.x;
  if (element >= elements) return;
  float share = gradient[int64_t(blockIdx.y) * elements + element] / rows;
  float* to = dx + int64_t(blockIdx.y) * rows * elements + element;
  for (int row = 0; row < rows; row++) {
    float* target = to + int64_t(row) * elements;
    *target = accumulate != 0 ? *target + share : share;
  }
}
EXPORT_KERNEL(self_attentive_pool_mean_backward)

// weights [N, T], y [N, C]. One block an utterance: a warp scores a frame, then a thread sums a channel. Grid N, block 256.
KERNEL_BOUNDS(THREADS)
self_attentive_pool_attend(const float* __restrict__ frames, const float* __restrict__ hidden, const float* __restrict__ attention, int count, int channels,
                           int width, float* weights, float* __restrict__ y) {
  __shared__ float maxima[WARPS];
  __shared__ float sums[WARPS];
  frames += int64_t(blockIdx.x) * count * channels;
  hidden += int64_t(blockIdx.x) * count * width;
  weights += int64_t(blockIdx.x) * count;
  for (int t = threadIdx.x / WARP; t < count; t += WARPS) {
    float score = warp_dot(hidden + int64_t(t) * width, attention, width);
    if (threadIdx.x % WARP == 0) weights[t] = score;
  }
  __syncthreads();
  float highest = weights[0];
  for (int t = threadIdx.x; t < count; t += THREADS) highest = fmaxf(highest, weights[t]);
  highest = warp_max(highest);
  if (threadIdx.x % WARP == 0) maxima[threadIdx.x / WARP] = highest;
  __syncthreads();
  for (int warp = 0; warp < WARPS; warp++) highest = fmaxf(highest, maxima[warp]);
  float sum = 0.0f;
  for (int t = threadIdx.x; t < count; t += THREADS) {
    weights[t] = expf(weights[t] - highest);
    sum += weights[t];
  }
  float inverse = 1.0f / block_sum(sum, sums);
  for (int channel = threadIdx.x; channel < channels; channel += THREADS) {
    float weighted = 0.0f;
    for (int t = 0; t < count; t++) weighted = fmaf(weights[t] * inverse, frames[int64_t(t) * channels + channel], weighted);
    y[int64_t(blockIdx.x) * channels + channel] = weighted;
  }
  __syncthreads();  // All channels have read the exponentials.
  for (int t = threadIdx.x; t < count; t += THREADS) weights[t] *= inverse;
}
EXPORT_KERNEL(self_attentive_pool_attend)

// frames_gradient may be null. The gradients of the scores replace the weights. attention_gradient [N, D] is by utterance.
// One block an utterance: a warp takes a frame, then a thread sums a hidden unit. Grid N, block 256.
KERNEL_BOUNDS(THREADS)
self_attentive_pool_attend_backward(const float* __restrict__ frames, const float* __restrict__ hidden, const float* __restrict__ attention,
                                    float* weights, const float* __restrict__ y, const float* __restrict__ dy, int count, int channels, int width,
                                    float* __restrict__ frames_gradient, int accumulate, float* __restrict__ hidden_gradient,
                                    float* __restrict__ attention_gradient) {
  frames += int64_t(blockIdx.x) * count * channels;
  hidden += int64_t(blockIdx.x) * count * width;
  weights += int64_t(blockIdx.x) * count;
  y += int64_t(blockIdx.x) * channels;
  dy += int64_t(blockIdx.x) * channels;
  int lane = threadIdx.x % WARP;
  float mean = warp_dot(dy, y, channels);
  for (int t = threadIdx.x / WARP; t < count; t += WARPS) {
    float weight = weights[t], score = weight * (warp_dot(dy, frames + int64_t(t) * channels, channels) - mean);
    int64_t row = int64_t(blockIdx.x) * count + t;
    for (int d = lane; d < width; d += WARP) hidden_gradient[row * width + d] = score * attention[d];
    if (frames_gradient != nullptr) {
      for (int c = lane; c < channels; c += WARP) {
        float* target = frames_gradient + row * channels + c;
        *target = accumulate != 0 ? fmaf(weight, dy[c], *target) : weight * dy[c];
      }
    }
    __syncwarp();  // All lanes have read the weight.
    if (lane == 0) weights[t] = score;
  }
  __syncthreads();
  for (int d = threadIdx.x; d < width; d += THREADS) {
    float sum = 0.0f;
    for (int t = 0; t < count; t++) sum = fmaf(weights[t], hidden[int64_t(t) * width + d], sum);
    attention_gradient[int64_t(blockIdx.x) * width + d] = sum;
  }
}
EXPORT_KERNEL(self_attentive_pool_attend_backward)
