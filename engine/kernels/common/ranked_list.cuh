// Scores with their indices as numbers in the order of a search for the best, and a warp's list of the best so far: one of these numbers a lane, ascending.
#pragma once
#include "common/prelude.cuh"

// Ascending numbers for descending scores and, among equals, ascending indices. A NaN comes last.
__device__ __forceinline__ uint64_t rank_of(float score, int index) {
  uint32_t bits = __float_as_uint(score + 0.0f);  // −0 becomes 0.
  uint32_t ordered = (bits & 0x80000000u) != 0 ? bits : ~bits & 0x7fffffffu;
  if (score != score) ordered = 0xffffffffu;
  return uint64_t(ordered) << 32 | uint32_t(index);
}

__device__ __forceinline__ float score_of(uint64_t rank) {
  uint32_t ordered = uint32_t(rank >> 32);
  return __uint_as_float((ordered & 0x80000000u) != 0 ? ordered : ~ordered & 0x7fffffffu);
}

__device__ __forceinline__ int index_of(uint64_t rank) { return int(uint32_t(rank)); }

// Behind every score, a NaN too. As a score it is NaN: nothing is below it, so that a list with room turns nothing away.
constexpr uint64_t NO_RANK = ~uint64_t(0);

namespace ranked_list {

constexpr int LENGTH = WARP;

// From how many candidates on sorting them all is quicker than to insert one after another.
constexpr int MANY = 8;

// The lower or the higher of a lane's number and that of the lane whose number differs in one bit.
__device__ __forceinline__ uint64_t exchanged(uint64_t own, int bit, bool lower) {
  uint64_t other = __shfl_xor_sync(FULL_WARP, own, bit);
  return (own < other) == lower ? own : other;
}

// A bitonic sort.
__device__ __forceinline__ uint64_t sorted(uint64_t own) {
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int run = 2; run <= LENGTH; run *= 2) {
#pragma unroll
    for (int bit = run / 2; bit > 0; bit /= 2) own = exchanged(own, bit, ((lane & bit) == 0) == ((lane & run) == 0));
  }
  return own;
}

// The lowest of two lists: the lower of a lane's number and of its mirror image's rises and falls but once.
__device__ __forceinline__ uint64_t merged(uint64_t own, uint64_t other) {
  int lane = threadIdx.x % WARP;
  uint64_t mirrored = __shfl_xor_sync(FULL_WARP, other, LENGTH - 1);
  own = own < mirrored ? own : mirrored;
#pragma unroll
  for (int bit = LENGTH / 2; bit > 0; bit /= 2) own = exchanged(own, bit, (lane & bit) == 0);
  return own;
}

// With one number more, the same in all lanes, and without the last.
__device__ __forceinline__ uint64_t inserted(uint64_t own, uint64_t rank) {
  int lane = threadIdx.x % WARP, place = __popc(__ballot_sync(FULL_WARP, own < rank));
  uint64_t before = __shfl_up_sync(FULL_WARP, own, 1);
  return lane < place ? own : lane == place ? rank : before;
}

// A list of which `k` count after a candidate of each lane, or NO_RANK.
__device__ __forceinline__ uint64_t offered(uint64_t own, int k, uint64_t rank) {
  unsigned wanted = __ballot_sync(FULL_WARP, rank < __shfl_sync(FULL_WARP, own, k - 1));
  if (__popc(wanted) >= MANY) return merged(own, sorted(rank));
  for (; wanted != 0; wanted &= wanted - 1) own = inserted(own, __shfl_sync(FULL_WARP, rank, __ffs(int(wanted)) - 1));
  return own;
}

// A list in memory of its first `k`.
__device__ __forceinline__ uint64_t load(const uint64_t* list, int k) {
  int lane = threadIdx.x % WARP;
  return lane < k ? list[lane] : NO_RANK;
}

__device__ __forceinline__ void store(uint64_t own, uint64_t* list, int k) {
  int lane = threadIdx.x % WARP;
  if (lane < k) list[lane] = own;
}

}  // namespace ranked_list
