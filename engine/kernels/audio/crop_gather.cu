// Rows of a batch from 16-bit samples: y[i] = sample i · scale, or, at another speed than 1, the samples' band-limited signal at i · speed.
//
// The signal between samples is Σ_t s[whole + t] w[t] with weights of 128 tabulated places between two samples, interpolated linearly.
// A block of 256 threads makes 1024 outputs of one row; at another speed one warp makes an output, its lanes sharing the taps.
// Traffic: 2 bytes in and 4 out for each sample.
#include "common/reduce.cuh"

// Field by field the Row of CropStaging.cs.
struct CropRow {
  const int16_t* samples;  // The first one that any output reads.
  const float* weights;    // [129, taps], or null at speed 1.
  int taps;
  float scale;
  double speed;            // Input samples per output.
};

namespace {

constexpr int THREADS = 256, OUTPUTS = 1024, PHASES = 128;

}  // namespace

// Grid (outputs / 1024, rows), block 256.
KERNEL_BOUNDS(THREADS)
crop_gather_forward(const CropRow* __restrict__ rows, float* __restrict__ waves, int samples) {
  CropRow row = rows[blockIdx.y];
  float* to = waves + int64_t(blockIdx.y) * samples;
  int first = blockIdx.x * OUTPUTS, end = min(samples, first + OUTPUTS);
  if (row.weights == nullptr) {
    for (int i = first + threadIdx.x; i < end; i += THREADS) to[i] = row.samples[i] * row.scale;
    return;
  }
  int lane = threadIdx.x % WARP;
  for (int i = first + threadIdx.x / WARP; i < end; i += THREADS / WARP) {
    double position = i * row.speed;
    int whole = int(position);
    double place = (position - whole) * PHASES;
    int phase = int(place);
    float share = float(place - phase);
    const float* weights = row.weights + phase * row.taps;
    float below = 0.0f, above = 0.0f;
    for (int t = lane; t < row.taps; t += WARP) {
      float x = row.samples[whole + t] * row.scale;
      below = fmaf(x, weights[t], below);
      above = fmaf(x, weights[row.taps + t], above);
    }
    float sum = warp_sum(fmaf(above - below, share, below));
    if (lane == 0) to[i] = sum;
  }
}
EXPORT_KERNEL(crop_gather_forward)
