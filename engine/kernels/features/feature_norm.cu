// Features minus their mean over time, and for `divides` divided by their deviation √(σ² + ε), per utterance and band. x may be y.
//
//   backward  dx = (dy − mean(dy) − y · mean(dy·y)) / deviation;  without division dx = dy − mean(dy)
//
// A block of 32 bands × 8 frame lanes takes one utterance; lanes are added in order. Reads x three times (twice from cache), writes y.
#include "common/reduce.cuh"

namespace {

constexpr int BANDS = 32, LANES = 8;

}  // namespace

// inverse [N, F], 1 / deviation, may be null. Grid (bands / 32, utterances), block (32, 8).
KERNEL_BOUNDS(BANDS* LANES)
feature_norm_forward(const float* x, float* y, float* __restrict__ inverse, int frames, int bands, int divides, float eps) {
  __shared__ float lanes[LANES][BANDS];
  int band = blockIdx.x * BANDS + threadIdx.x;
  bool inside = band < bands;
  int64_t start = int64_t(blockIdx.y) * frames * bands + band;
  float sum = 0.0f;
  for (int t = threadIdx.y; inside && t < frames; t += LANES) sum += x[start + int64_t(t) * bands];
  float mean = lane_sum(sum, lanes) / frames, scale = 1.0f;
  if (divides != 0) {
    float squares = 0.0f;
    for (int t = threadIdx.y; inside && t < frames; t += LANES) {
      float centred = x[start + int64_t(t) * bands] - mean;
      squares = fmaf(centred, centred, squares);
    }
    scale = 1.0f / sqrtf(lane_sum(squares, lanes) / frames + eps);
    if (inverse != nullptr && inside && threadIdx.y == 0) inverse[int64_t(blockIdx.y) * bands + band] = scale;
  }
  for (int t = threadIdx.y; inside && t < frames; t += LANES) {
    int64_t at = start + int64_t(t) * bands;
    y[at] = (x[at] - mean) * scale;
  }
}
EXPORT_KERNEL(feature_norm_forward)

// inverse null: without division. Grid (bands / 32, utterances), block (32, 8).
KERNEL_BOUNDS(BANDS* LANES)
feature_norm_backward(const float* __restrict__ y, const float* __restrict__ dy, const float* __restrict__ inverse, float* __restrict__ dx, int frames,
                      int bands, int accumulate) {
  __shared__ float lanes[LANES][BANDS];
  int band = blockIdx.x * BANDS + threadIdx.x;
  bool inside = band < bands;
  int64_t start = int64_t(blockIdx.y) * frames * bands + band;
  float sum = 0.0f, product = 0.0f;
  for (int t = threadIdx.y; inside && t < frames; t += LANES) {
    int64_t at = start + int64_t(t) * bands;
    sum += dy[at];
    product = fmaf(dy[at], y[at], product);
  }
  float mean = lane_sum(sum, lanes) / frames;
  float slope = lane_sum(product, lanes) / frames;
  float scale = 1.0f;
  if (inverse == nullptr)
    slope = 0.0f;
  else if (inside)
    scale = inverse[int64_t(blockIdx.y) * bands + band];
  for (int t = threadIdx.y; inside && t < frames; t += LANES) {
    int64_t at = start + int64_t(t) * bands;
    float gradient = (dy[at] - mean - y[at] * slope) * scale;
    dx[at] = accumulate != 0 ? dx[at] + gradient : gradient;
  }
}
EXPORT_KERNEL(feature_norm_backward)
