// Kernels that are wrong on purpose.
#include "common/prelude.cuh"

// Only the threads below `below` come to the barrier before the others end up at another one: on a device, they would hang.
KERNEL emulator_test_divergent_barrier(float* __restrict__ y, int below) {
  if (static_cast<int>(threadIdx.x) < below) {
    __syncthreads();
  } else {
    __syncwarp(0xffffffffu);
  }
  y[threadIdx.x] = 1.0f;
}
EXPORT_KERNEL(emulator_test_divergent_barrier)

KERNEL emulator_test_write_past_end(float* __restrict__ y, int count) {
  int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i <= count) y[i] = 1.0f;
}
EXPORT_KERNEL(emulator_test_write_past_end)

KERNEL emulator_test_shared_read_past_end(float* __restrict__ y) {
  DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = shared[threadIdx.x + 1];
}
EXPORT_KERNEL(emulator_test_shared_read_past_end)

// Shared memory that nobody has written: NaN.
KERNEL emulator_test_uninitialised_shared(float* __restrict__ y) {
  __shared__ float fixed[1024];
  DYNAMIC_SHARED(float, dynamic);
  y[2 * threadIdx.x] = fixed[threadIdx.x];
  y[2 * threadIdx.x + 1] = dynamic[threadIdx.x];
  fixed[threadIdx.x] = dynamic[threadIdx.x] = 0.0f;
}
EXPORT_KERNEL(emulator_test_uninitialised_shared)

KERNEL emulator_test_misaligned_vector(float* __restrict__ y) {
  *reinterpret_cast<float4*>(y + 1) = make_float4(1.0f, 2.0f, 3.0f, 4.0f);
}
EXPORT_KERNEL(emulator_test_misaligned_vector)
