// AdamW (Loshchilov and Hutter 2019) over one flat vector: Adam with the weight decay applied to the value itself. As adam.cu otherwise.
#include "common/adam.cuh"

KERNEL_BOUNDS(256)
adam_w_step(float* __restrict__ values, const float* __restrict__ gradients, float* __restrict__ mean, float* __restrict__ mean_square,
            const int* __restrict__ undecayed, int runs, float* __restrict__ average, int count,
            const AdamFactors factors) {
  adam_update(values, gradients, mean, mean_square, undecayed, runs, average, count, factors);
}
EXPORT_KERNEL(adam_w_step)
