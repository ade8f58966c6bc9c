// One thread per element, no waiting.
#include "common/prelude.cuh"

KERNEL emulator_test_vector_add(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ sum, int count) {
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) sum[i] = a[i] + b[i];
}
EXPORT_KERNEL(emulator_test_vector_add)
