// The update of Adam and AdamW of one element; the two differ in where the weight decay acts.
#pragma once
#include "common/undecayed.cuh"

struct AdamFactors {
  float beta1, rest1, beta2, rest2;  // rest = 1 − beta, rounded once from f64.
  float step_size;                   // −learning rate / (1 − beta1^t)
  float root_factor;                 // 1 / √(1 − beta2^t)
  float epsilon;
  float coupled;    // Added to the gradient, times the value.
  float decoupled;  // Added to the value, times itself.
  float gradient_factor;  // What the gradient is multiplied by as it is read: a clip.
  float keep, take;       // average = keep · average + take · value, where there is one.
};

__device__ __forceinline__ void adam_update(float* __restrict__ values, const float* __restrict__ gradients, float* __restrict__ mean,
                                            float* __restrict__ mean_square, const int* __restrict__ undecayed, int runs,
                                            float* __restrict__ average, int count, const AdamFactors& factors) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  bool decays = !is_undecayed(undecayed, runs, i);
  float p = values[i];
  float g = fmaf(decays ? factors.coupled : 0.0f, p, factors.gradient_factor * gradients[i]);
  float m = fmaf(factors.beta1, mean[i], factors.rest1 * g);
  float v = fmaf(factors.beta2, mean_square[i], factors.rest2 * g * g);
  mean[i] = m;
  mean_square[i] = v;
  p = fmaf(decays ? factors.decoupled : 0.0f, p, p);
  p = fmaf(factors.step_size, m / fmaf(sqrtf(v), factors.root_factor, factors.epsilon), p);
  values[i] = p;
  if (average != nullptr) average[i] = fmaf(factors.keep, average[i], factors.take * p);
}
