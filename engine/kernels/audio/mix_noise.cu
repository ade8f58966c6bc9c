// x += n · 10^((dB(x) − dB(n) − ratio) / 20) per row, dB(a) = 10 log10(mean(a²) + floor); rows with a NaN as ratio stay as they are.
//
// A block takes one row: squares are summed in f32 by each thread and joined in f64 in a fixed order. Reads both rows twice (the second
// time from the second-level cache), writes one.
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 512;

__device__ __forceinline__ double level(const float* __restrict__ x, int samples, double floor, double* scratch) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < samples; i += THREADS) sum = fmaf(x[i], x[i], sum);
  return 10.0 * log10(block_sum(double(sum), scratch) / samples + floor);
}

}  // namespace

// Grid (rows), block 512.
KERNEL_BOUNDS(THREADS)
mix_noise_apply(float* __restrict__ waves, int stride_waves, const float* __restrict__ noise, int stride_noise, const float* __restrict__ ratios,
                int samples, double floor) {
  __shared__ double scratch[THREADS / WARP];
  __shared__ float gain;
  float ratio = ratios[blockIdx.x];
  if (isnan(ratio)) return;
  float* x = waves + int64_t(blockIdx.x) * stride_waves;
  const float* n = noise + int64_t(blockIdx.x) * stride_noise;
  double of_wave = level(x, samples, floor, scratch), of_noise = level(n, samples, floor, scratch);
  if (threadIdx.x == 0) gain = float(pow(10.0, (of_wave - of_noise - ratio) / 20.0));
  __syncthreads();
  for (int i = threadIdx.x; i < samples; i += THREADS) x[i] = fmaf(n[i], gain, x[i]);
}
EXPORT_KERNEL(mix_noise_apply)
