// sum = weight · value, or sum += weight · value: one term of a sum of losses, and its backward step. One thread.
#include "common/prelude.cuh"

KERNEL_BOUNDS(1)
weighted_sum_add(const float* __restrict__ value, float weight, float* __restrict__ sum, int accumulate) {
  *sum = accumulate ? fmaf(weight, *value, *sum) : weight * *value;
}
EXPORT_KERNEL(weighted_sum_add)
