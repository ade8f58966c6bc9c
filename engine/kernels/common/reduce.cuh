// Sums and maxima over a warp or a block, in a fixed order: the same bits in every run.
#pragma once
#include "common/prelude.cuh"

__device__ __forceinline__ float warp_sum(float value) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(FULL_WARP, value, offset);
  return value;
}

__device__ __forceinline__ double warp_sum(double value) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(FULL_WARP, value, offset);
  return value;
}

__device__ __forceinline__ float warp_max(float value) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(FULL_WARP, value, offset));
  return value;
}

// Sum over all threads of a one-dimensional block of whole warps; every thread gets it. `scratch` has a slot for each warp
// and is free again when the function returns.
template <typename T>
__device__ __forceinline__ T block_sum(T value, T* scratch) {
  value = warp_sum(value);
  int warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  if (threadIdx.x % WARP == 0) scratch[warp] = value;
  __syncthreads();
  T sum = T(0);
  for (int i = 0; i < warps; i++) sum += scratch[i];
  __syncthreads();
  return sum;
}

// Sum over the lanes (threadIdx.y) of each column (threadIdx.x) of a block; every lane gets it. `scratch` is free again when it returns.
template <int LANES, int COLUMNS>
__device__ __forceinline__ float lane_sum(float value, float (&scratch)[LANES][COLUMNS]) {
  scratch[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  float sum = 0.0f;
  for (int lane = 0; lane < LANES; lane++) sum += scratch[lane][threadIdx.x];
  __syncthreads();
  return sum;
}
