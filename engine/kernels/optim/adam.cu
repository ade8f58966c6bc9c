// Adam (Kingma and Ba 2015) over one flat vector, weight decay added to the gradient. One thread an element; reads 16 and writes 12 bytes
// of each, and 8 more where an average follows. The same multiply-adds as on the CPU.
#include "common/adam.cuh"

KERNEL_BOUNDS(256)
adam_step(float* __restrict__ values, const float* __restrict__ gradients, float* __restrict__ mean, float* __restrict__ mean_square,
          const int* __restrict__ undecayed, int runs, float* __restrict__ average, int count,
          const AdamFactors factors) {
  adam_update(values, gradients, mean, mean_square, undecayed, runs, average, count, factors);
}
EXPORT_KERNEL(adam_step)
