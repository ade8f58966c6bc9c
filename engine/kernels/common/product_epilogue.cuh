// What becomes of the finished sums of a matrix product, column by column, on their way to memory:
//
//   v = sum + bias          what is stored where there is no scale: the input of an activation and a batch norm that follow
//   (a − mean) · scale + shift, a = v above 0, slope · v elsewhere: the whole norm, where its statistics are known before
//
// The mean is subtracted first: folded into the shift, one that is large against the deviation would take the digits of the result.
//
// Besides, tiles may leave sums over their rows: for a norm that follows (common/column_moments.cuh), for means over time (common/utterance_sums.cuh),
// for the backward pass of a norm whose output's gradient the product is (common/gradient_sums.cuh).
#pragma once
#include "common/prelude.cuh"

// Field by field that of the host: arrays of the columns, null where there are none.
struct ProductEpilogue {
  const float *bias, *mean, *scale, *shift;
  float* moments;
  float* utterance_sums;
  float slope;
  int norm_stride;          // Of norm_input.
  const float* norm_input;  // With gradient_sums: of the norm whose output's gradient this is, and its mean and slope; common/gradient_sums.cuh.
  float* gradient_sums;
  int frames;  // Of an utterance, no fewer than rows of a tile; read only where its sums are wanted.

  __device__ __forceinline__ float biased(float sum, int column) const { return bias == nullptr ? sum : sum + __ldg(bias + column); }

  __device__ __forceinline__ float activated(float value) const { return value > 0.0f ? value : value * slope; }

  // What is stored of v.
  __device__ __forceinline__ float finished(float value, int column) const {
    if (scale == nullptr) return value;
    return (activated(value) - __ldg(mean + column)) * __ldg(scale + column) + (shift == nullptr ? 0.0f : __ldg(shift + column));
  }

  // What a norm or a mean behind it is of: activated ahead of a norm, or normalised.
  __device__ __forceinline__ float measured(float value, int column) const { return scale == nullptr ? activated(value) : finished(value, column); }
};

// The scale of a norm whose statistics are known; without a gamma it is 1.
__device__ __forceinline__ float norm_scale(float variance, float eps, float gamma) {
  return float(1.0 / sqrt(double(variance) + double(eps))) * gamma;
}
