// Sums over time of each channel of an utterance, in a fixed order. A block of COLUMNS channels × LANES frame lanes takes one utterance;
// lanes are added in order. Grid (channels / COLUMNS, utterances), block (COLUMNS, LANES).
#pragma once
#include "common/reduce.cuh"

namespace time_sums {

constexpr int COLUMNS = 32, LANES = 8;

// Σ_t x, or Σ_t x · other where there is one; rows of an utterance follow each other. Every lane of a channel inside gets it.
__device__ __forceinline__ float of_channel(const float* __restrict__ x, int stride, const float* __restrict__ other, int stride_other, int frames,
                                            int channels) {
  __shared__ float lanes[LANES][COLUMNS];
  int channel = blockIdx.x * COLUMNS + threadIdx.x;
  int64_t first = int64_t(blockIdx.y) * frames;
  float sum = 0.0f;
  for (int t = threadIdx.y; channel < channels && t < frames; t += LANES) {
    float value = x[(first + t) * stride + channel];
    sum = other == nullptr ? sum + value : fmaf(value, other[(first + t) * stride_other + channel], sum);
  }
  return lane_sum(sum, lanes);
}

}  // namespace time_sums
