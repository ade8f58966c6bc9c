// Element functions between layers and their derivatives, numbered as ActivationKind on the host.
#pragma once
#include "common/prelude.cuh"

enum ActivationKind { RELU, LEAKY_RELU, TANH, SIGMOID, GELU };

// Distribution function of the standard normal distribution.
__device__ __forceinline__ float normal_distribution(float x) { return 0.5f * erfcf(-x * 0.70710678118654752f); }

__device__ __forceinline__ float activation_value(int kind, float slope, float x) {
  switch (kind) {
    case RELU: return x > 0.0f ? x : x * 0.0f;  // Keeps a NaN.
    case LEAKY_RELU: return x > 0.0f ? x : x * slope;
    case TANH: return tanhf(x);
    case SIGMOID: return 1.0f / (1.0f + expf(-x));
    default: return x * normal_distribution(x);
  }
}

// The derivative from input and output, whichever is cheaper.
__device__ __forceinline__ float activation_slope(int kind, float slope, float x, float y) {
  switch (kind) {
    case RELU: return x > 0.0f ? 1.0f : 0.0f;
    case LEAKY_RELU: return x > 0.0f ? 1.0f : slope;
    case TANH: return 1.0f - y * y;
    case SIGMOID: return y * (1.0f - y);
    default: return normal_distribution(x) + x * 0.39894228040143268f * expf(-0.5f * x * x);
  }
}
