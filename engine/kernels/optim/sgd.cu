// Stochastic gradient descent with momentum over one flat vector. One thread an element; reads 12 and writes 8 bytes of each, and 8 more where an average
// follows.
#include "common/undecayed.cuh"

// buffer is null without momentum; average is null, or becomes keep · average + take · value. Gradients are multiplied by gradient_factor as they are read: a clip.
KERNEL_BOUNDS(256)
sgd_step(float* __restrict__ values, const float* __restrict__ gradients, float* __restrict__ buffer, const int* __restrict__ undecayed, int runs,
         float* __restrict__ average, int count, float step_size, float momentum, float decay, float gradient_factor, float keep, float take, int nesterov) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  float p = values[i];
  float g = fmaf(is_undecayed(undecayed, runs, i) ? 0.0f : decay, p, gradient_factor * gradients[i]);
  if (buffer != nullptr) {
    float b = fmaf(momentum, buffer[i], g);
    buffer[i] = b;
    g = nesterov != 0 ? fmaf(momentum, b, g) : b;
  }
  p = fmaf(step_size, g, p);
  values[i] = p;
  if (average != nullptr) average[i] = fmaf(keep, average[i], take * p);
}
EXPORT_KERNEL(sgd_step)
