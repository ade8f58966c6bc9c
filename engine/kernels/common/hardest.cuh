// The highest cosines of a row, one after the other: a block goes through the row once for each, and the lower place of two equals comes first.
#pragma once
#include "common/reduce.cuh"

namespace hardest {

constexpr int THREADS = 256, WARPS = THREADS / WARP, NO_CLASS = 0x7fffffff;

struct Candidate {
  float key;
  int index;
};

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

// A NaN is harder than anything, so that it reaches the loss.
__device__ __forceinline__ float key_of(float cosine) { return isnan(cosine) ? infinity() : cosine; }

__device__ __forceinline__ bool comes_first(const Candidate& a, const Candidate& b) { return a.key > b.key || (a.key == b.key && a.index < b.index); }

// The first of all threads' candidates; every thread gets it.
__device__ __forceinline__ Candidate block_first(Candidate own, Candidate (&scratch)[WARPS]) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    Candidate other = {__shfl_xor_sync(FULL_WARP, own.key, offset), __shfl_xor_sync(FULL_WARP, own.index, offset)};
    if (comes_first(other, own)) own = other;
  }
  if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = own;
  __syncthreads();
  Candidate first = scratch[0];
  for (int warp = 1; warp < WARPS; warp++) {
    if (comes_first(scratch[warp], first)) first = scratch[warp];
  }
  __syncthreads();
  return first;
}

}  // namespace hardest
