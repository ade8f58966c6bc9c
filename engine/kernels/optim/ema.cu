// target = momentum · target + rest · source, as optimisers do it for a momentum encoder in their own pass. One thread an element; 12 bytes of each.
#include "common/prelude.cuh"

KERNEL_BOUNDS(256)
ema_step(float* __restrict__ target, const float* __restrict__ source, int count, float momentum, float rest) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) target[i] = fmaf(momentum, target[i], rest * source[i]);
}
EXPORT_KERNEL(ema_step)
