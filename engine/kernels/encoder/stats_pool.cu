// Mean and deviation over time: [N, T, C] to [N, 2C], means first.
//
//   unbiased  √(Σ(x − μ)² / (T − 1) + ε)      biased, clamped  √max(Σ(x − μ)² / T, ε)
//   backward  dx = dμ / T + dσ (x − μ) / (σ · frames of the variance); no dσ term where the clamp holds
//
// A block of 32 channels × 8 frame lanes takes one utterance: sums, then squares about the mean, so nothing cancels; the lanes are added
// in order. Reads x twice forward (from the second-level cache the second time), once backward.
#include "common/reduce.cuh"

namespace {

constexpr int CHANNELS = 32, LANES = 8;

}  // namespace

// Grid (channels / 32, utterances), block (32, 8).
KERNEL_BOUNDS(CHANNELS* LANES)
stats_pool_forward(const float* __restrict__ x, int stride, int frames, int channels, float eps, int unbiased, float* __restrict__ y, int stride_y) {
  __shared__ float lanes[LANES][CHANNELS];
  int channel = blockIdx.x * CHANNELS + threadIdx.x;
  bool inside = channel < channels;
  const float* from = x + int64_t(blockIdx.y) * frames * stride + channel;
  float sum = 0.0f;
  for (int t = threadIdx.y; inside && t < frames; t += LANES) sum += from[int64_t(t) * stride];
  float mean = lane_sum(sum, lanes) / frames;
  float squares = 0.0f;
  for (int t = threadIdx.y; inside && t < frames; t += LANES) {
    float centred = from[int64_t(t) * stride] - mean;
    squares = fmaf(centred, centred, squares);
  }
  squares = lane_sum(squares, lanes);
  if (threadIdx.y != 0 || !inside) return;
  float* result = y + int64_t(blockIdx.y) * stride_y + channel;
  float variance = squares / (unbiased != 0 ? frames - 1 : frames);
  result[0] = mean;
  // A comparison keeps a NaN where a maximum might swallow it.
  result[channels] = sqrtf(unbiased != 0 ? variance + eps : variance < eps ? eps : variance);
}
EXPORT_KERNEL(stats_pool_forward)

// floor: the deviation at the clamp, or below 0 for none. Grid (channels / 32, utterances), block (32, 8).
KERNEL_BOUNDS(CHANNELS* LANES)
stats_pool_backward(const float* __restrict__ x, int stride_x, const float* __restrict__ y, int stride_y, const float* __restrict__ dy, int stride_dy,
                    float* __restrict__ dx, int stride_dx, int frames, int channels, float floor, int unbiased, int accumulate) {
  int channel = blockIdx.x * CHANNELS + threadIdx.x;
  if (channel >= channels) return;
  float mean = y[int64_t(blockIdx.y) * stride_y + channel], deviation = y[int64_t(blockIdx.y) * stride_y + channels + channel];
  float constant = dy[int64_t(blockIdx.y) * stride_dy + channel] / frames;
  float factor = deviation <= floor ? 0.0f : dy[int64_t(blockIdx.y) * stride_dy + channels + channel] / (deviation * (unbiased != 0 ? frames - 1 : frames));
  for (int t = threadIdx.y; t < frames; t += LANES) {
    int64_t row = int64_t(blockIdx.y) * frames + t;
    float gradient = fmaf(x[row * stride_x + channel] - mean, factor, constant);
    float* target = dx + row * stride_dx + channel;
    *target = accumulate != 0 ? *target + gradient : gradient;
  }
}
EXPORT_KERNEL(stats_pool_backward)
