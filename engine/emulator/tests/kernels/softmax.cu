// Softmax of rows, one block each, the row in dynamic shared memory.
#include "common/prelude.cuh"

template <typename Combine>
__device__ float combine_block(float value, float* shared, Combine combine) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  float result = shared[0];
  __syncthreads();
  return result;
}

KERNEL emulator_test_softmax(const float* __restrict__ x, float* __restrict__ y, int columns) {
  DYNAMIC_SHARED(float, shared);
  const float* row = x + static_cast<int64_t>(blockIdx.x) * columns;
  float* out = y + static_cast<int64_t>(blockIdx.x) * columns;
  float largest = -__int_as_float(0x7f800000);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) largest = max(largest, row[i]);
  largest = combine_block(largest, shared, [](float a, float b) { return fmaxf(a, b); });
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += __expf(row[i] - largest);
  sum = combine_block(sum, shared, [](float a, float b) { return a + b; });
  for (int i = threadIdx.x; i < columns; i += blockDim.x) out[i] = __fdividef(__expf(row[i] - largest), sum);
}
EXPORT_KERNEL(emulator_test_softmax)
