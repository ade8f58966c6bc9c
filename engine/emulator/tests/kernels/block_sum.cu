// Sums of blocks through shared memory, and the same with a barrier left out.
#include "common/reduce.cuh"

KERNEL emulator_test_block_sum(const float* __restrict__ x, float* __restrict__ sums, int count) {
  __shared__ float scratch[WARP];
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  float sum = block_sum(i < count ? x[i] : 0.0f, scratch);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
EXPORT_KERNEL(emulator_test_block_sum)

// Planted fault: the sums of the warps are read before all of them are written.
KERNEL emulator_test_missing_barrier(const float* __restrict__ x, float* __restrict__ sums, int count) {
  __shared__ float scratch[WARP];
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  float value = warp_sum(i < count ? x[i] : 0.0f);
  if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = value;
  if (threadIdx.x == 0) {
    float sum = 0.0f;
    for (unsigned warp = 0; warp < blockDim.x / WARP; warp++) sum += scratch[warp];
    sums[blockIdx.x] = sum;
  }
}
EXPORT_KERNEL(emulator_test_missing_barrier)
