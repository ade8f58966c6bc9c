// log softmax of a row of logits from two numbers that are kept instead of the row: log p = (l − highest) − log Σ exp(l − highest).
// The difference of logits comes first: their size then leaves no rounding in the result.
#pragma once
#include "common/reduce.cuh"

struct LogSoftmax {
  float highest, log_sum;

  __device__ __forceinline__ float log(float logit) const { return (logit - highest) - log_sum; }
};

namespace log_softmax {

constexpr int THREADS = 256;

struct Scratch {
  float maxima[THREADS / WARP];
  double sums[THREADS / WARP];
};

// Read by a whole block of THREADS; every thread gets it. The scratch is free again when it returns.
__device__ __forceinline__ LogSoftmax of(const float* logits, int classes, Scratch& scratch) {
  float highest = logits[0];
  for (int i = threadIdx.x; i < classes; i += THREADS) highest = fmaxf(highest, logits[i]);
  highest = warp_max(highest);
  if (threadIdx.x % WARP == 0) scratch.maxima[threadIdx.x / WARP] = highest;
  __syncthreads();
  for (int warp = 0; warp < THREADS / WARP; warp++) highest = fmaxf(highest, scratch.maxima[warp]);
  double sum = 0.0;
  for (int i = threadIdx.x; i < classes; i += THREADS) sum += expf(logits[i] - highest);  // A NaN that the maximum passed by comes in here.
  sum = block_sum(sum, scratch.sums);
  LogSoftmax result;
  result.highest = highest;
  result.log_sum = float(::log(sum));
  return result;
}

// A probability that has underflowed counts as this in a logarithm, so that the product with it is 0. A comparison this way round keeps a NaN.
__device__ __forceinline__ float safe_log(float probability) { return logf(probability < 1e-37f ? 1e-37f : probability); }

}  // namespace log_softmax
