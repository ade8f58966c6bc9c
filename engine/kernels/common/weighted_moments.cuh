// The mean and the squared deviations of values weighted by e^score, some after others, with scores of any size: an online softmax.
//
// Weights are e^(score − highest so far). A few values at a time have their highest score, then their weights, their mean and their deviations taken;
// such moments are merged by Chan's formula, the one with the lower maximum scaled down: nothing cancels, nothing overflows.
#pragma once
#include "common/prelude.cuh"

struct WeightedMoments {
  // No score is lower but −∞; finite, so that the difference of two of them is a number.
  static constexpr float LOWEST = -3.0e38f;

  float highest = LOWEST, sum = 0.0f, mean = 0.0f, deviation = 0.0f;

  // Of the first `count` of Most values.
  template <int Most, typename Score, typename Value>
  __device__ __forceinline__ static WeightedMoments of(int count, Score score, Value value) {
    float weights[Most], values[Most], first = 0.0f;
    WeightedMoments moments;
#pragma unroll
    for (int i = 0; i < Most; i++) {
      weights[i] = score(i);
      values[i] = i < count ? value(i) : 0.0f;
      if (i < count) moments.highest = fmaxf(moments.highest, weights[i]);
    }
#pragma unroll
    for (int i = 0; i < Most; i++) {
      weights[i] = i < count ? expf(weights[i] - moments.highest) : 0.0f;
      moments.sum += weights[i];
      first = fmaf(weights[i], values[i], first);
    }
    if (moments.sum == 0.0f) return moments;
    moments.mean = first / moments.sum;
#pragma unroll
    for (int i = 0; i < Most; i++) {
      float away = values[i] - moments.mean;
      moments.deviation = fmaf(weights[i] * away, away, moments.deviation);
    }
    return moments;
  }

  __device__ __forceinline__ void add(const WeightedMoments& other) {
    if (other.sum == 0.0f) return;
    float apart = other.highest - highest, factor = expf(-fabsf(apart)), own = apart > 0.0f ? factor : 1.0f, others = apart > 0.0f ? 1.0f : factor;
    float before = sum * own, added = other.sum * others;
    sum = before + added;
    float away = other.mean - mean, share = added / sum;
    deviation = fmaf(away * away, before * share, fmaf(deviation, own, other.deviation * others));
    mean = fmaf(away, share, mean);
    highest = fmaxf(highest, other.highest);
  }

  // Those of a lane whose number differs in one bit, added to the own.
  __device__ __forceinline__ WeightedMoments with_lane(int apart) const {
    WeightedMoments other, both = *this;
    other.highest = __shfl_xor_sync(FULL_WARP, highest, apart);
    other.sum = __shfl_xor_sync(FULL_WARP, sum, apart);
    other.mean = __shfl_xor_sync(FULL_WARP, mean, apart);
    other.deviation = __shfl_xor_sync(FULL_WARP, deviation, apart);
    both.add(other);
    return both;
  }
};
