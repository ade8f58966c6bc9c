// Stochastic gradient descent with momentum over one flat vector. One thread an element; reads 12 and writes 8 bytes of each.
#include "common/undecayed.cuh"

// buffer is null without momentum.
KERNEL_BOUNDS(256)
sgd_step(float* __restrict__ values, const float* __restrict__ gradients, float* __restrict__ buffer, const int* __restrict__ undecayed, int runs,
         int count, float step_size, float momentum, float decay, int nesterov) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  float p = values[i];
  float g = fmaf(is_undecayed(undecayed, runs, i) ? 0.0f : decay, p, gradients[i]);
  if (buffer != nullptr) {
    float b = fmaf(momentum, buffer[i], g);
    buffer[i] = b;
    g = nesterov != 0 ? fmaf(momentum, b, g) : b;
  }
  values[i] = fmaf(step_size, g, p);
}
EXPORT_KERNEL(sgd_step)
