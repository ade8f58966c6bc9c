// The margin on the cosine of a positive: φ(c) and φ'(c). Field by field the MarginRule of the host.
#pragma once
#include "common/prelude.cuh"

// cos x and sin x for |x| below 2, to about 1e-14. The library's own cosine of an f64 reserves a stack for large arguments.
__device__ __forceinline__ void small_angle(double x, double* cosine, double* sine) {
  double term = 1.0, squared = x * x;
  *cosine = *sine = 0.0;
#pragma unroll
  for (int k = 0; k < 11; k++) {
    *cosine += term;
    term /= 2 * k + 1;
    *sine += term;
    term *= -squared / (2 * k + 2);
  }
  *sine *= x;
}

struct MarginRule {
  int form;  // 0 none, 1 additive, 2 additive angular, 3 adaptive.
  double margin, cosine, sine, threshold, fallback;

  // quality: ĝ of the row, −1 to 1; only the adaptive rule reads it.
  __device__ __forceinline__ double apply(double c, double quality, double* slope) const {
    *slope = 1.0;
    if (form == 0) return c;
    if (form == 1) return c - margin;
    if (form == 3) return apply_adaptive(c, margin * quality, slope);
    if (c <= threshold) return c - fallback;
    double squared = 1.0 - c * c;
    // The floor acts on the slope only: the value stays exact, the gradient finite at c = ±1.
    *slope = cosine + sine * c / sqrt(squared < 1e-7 ? 1e-7 : squared);
    return c * cosine - sqrt(squared < 0.0 ? 0.0 : squared) * sine;
  }

  // cos(clip(θ − a, ε, π − ε)) − m − a with θ = acos c; where anything is clipped there is no slope.
  __device__ __forceinline__ double apply_adaptive(double c, double angle, double* slope) const {
    constexpr double EDGE = 1e-3, COSINE_OF_EDGE = 0.99999950000004167;
    double offset = -margin - angle, kept = c < EDGE - 1.0 ? EDGE - 1.0 : c > 1.0 - EDGE ? 1.0 - EDGE : c, above, below, unused, of_angle, sine_of_angle;
    small_angle(angle + EDGE, &above, &unused);
    small_angle(EDGE - angle, &below, &unused);
    small_angle(angle, &of_angle, &sine_of_angle);
    *slope = 0.0;
    if (angle > -EDGE && kept > above) return COSINE_OF_EDGE + offset;
    if (angle < EDGE && kept < -below) return offset - COSINE_OF_EDGE;
    double sine = sqrt(1.0 - kept * kept);
    if (kept == c) *slope = of_angle - kept * sine_of_angle / sine;
    return kept * of_angle + sine * sine_of_angle + offset;
  }
};
