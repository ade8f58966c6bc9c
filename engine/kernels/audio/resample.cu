// Change of sample rate: y[i] = Σ_t x[⌊i · from / to⌋ − half + 1 + t] w[phase(i)][t], silence beyond the waveform's ends.
//
// One warp an output: the lanes share the taps, so that reads of x and of the phase's weights are neighbours. 8 warps a block.
// Work: 2 · taps FLOP an output; x and the weights come from cache, so traffic is 4 bytes for each input and output sample.
#include "common/reduce.cuh"

// weights [to, taps]. Grid (outputs / 8, rows), block 256.
KERNEL_BOUNDS(256)
resample_forward(const float* __restrict__ x, int stride, int samples, const float* __restrict__ weights, int from, int to, int half, int taps,
                 float* __restrict__ y, int outputs) {
  int64_t i = int64_t(blockIdx.x) * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (i >= outputs) return;
  int64_t whole = i * from / to;
  const float* of_phase = weights + (i * from - whole * to) * taps;
  const float* row = x + int64_t(blockIdx.y) * stride;
  float sum = 0.0f;
  for (int t = threadIdx.x % WARP; t < taps; t += WARP) {
    int64_t at = whole - half + 1 + t;
    if (at >= 0 && at < samples) sum = fmaf(row[at], of_phase[t], sum);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % WARP == 0) y[int64_t(blockIdx.y) * outputs + i] = sum;
}
EXPORT_KERNEL(resample_forward)
