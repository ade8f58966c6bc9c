// The margin on the cosine of a positive: φ(c) and φ'(c). Field by field the MarginRule of the host.
#pragma once
#include "common/prelude.cuh"

struct MarginRule {
  int kind;  // 0 none, 1 additive, 2 additive angular.
  double margin, cosine, sine, threshold, fallback;

  __device__ __forceinline__ double apply(double c, double* slope) const {
    *slope = 1.0;
    if (kind == 0) return c;
    if (kind == 1) return c - margin;
    if (c <= threshold) return c - fallback;
    double squared = 1.0 - c * c;
    // The floor acts on the slope only: the value stays exact, the gradient finite at c = ±1.
    *slope = cosine + sine * c / sqrt(squared < 1e-7 ? 1e-7 : squared);
    return c * cosine - sqrt(squared < 0.0 ? 0.0 : squared) * sine;
  }
};
