// The k largest of each row's scores, in descending order; of equal scores the lower index comes first. The scores of all keys come in
// chunks, in the order of the keys; each launch merges one chunk into the lists of the launches before.
//
// A score and its index are one 64-bit number whose order is the wanted one, so that one sort does both. A block takes one row: what beats
// the last of the list is gathered, in the order of the indices, and sorted together with the list whenever the room is full.
// Traffic: 4 bytes a score, read once. Most scores of later chunks are seen, compared and forgotten.
#include "common/prelude.cuh"

namespace {

constexpr int THREADS = 256, ROOM = 2048;  // The list (at most 1024) and what waits to be sorted into it.

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

__device__ __forceinline__ void sort(uint64_t* ranks) {
  for (int run = 2; run <= ROOM; run *= 2) {
    for (int step = run / 2; step > 0; step /= 2) {
      for (int i = threadIdx.x; i < ROOM / 2; i += THREADS) {
        int low = 2 * i - (i & (step - 1)), high = low + step;
        bool ascending = (low & run) == 0;
        uint64_t a = ranks[low], b = ranks[high];
        if ((a > b) == ascending) {
          ranks[low] = b;
          ranks[high] = a;
        }
      }
      __syncthreads();
    }
  }
}

}  // namespace

// scores [rows, stride], `keys` of them valid, the first that of key first_key; best and indices [rows, k] hold min(first_key, k) entries.
// Grid (rows), block 256.
KERNEL_BOUNDS(THREADS)
cosine_top_k_merge(const float* __restrict__ scores, int stride, int keys, int first_key, int k, float* __restrict__ best, int* __restrict__ indices) {
  __shared__ uint64_t ranks[ROOM];
  __shared__ int waiting, counts[THREADS / WARP];
  const float* row = scores + int64_t(blockIdx.x) * stride;
  float* row_best = best + int64_t(blockIdx.x) * k;
  int* row_indices = indices + int64_t(blockIdx.x) * k;
  int held = min(first_key, k), lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  for (int i = threadIdx.x; i < ROOM; i += THREADS) ranks[i] = i < held ? rank_of(row_best[i], row_indices[i]) : ~uint64_t(0);
  if (threadIdx.x == 0) waiting = k;
  __syncthreads();

  for (int start = 0; start < keys; start += THREADS) {
    int at = start + threadIdx.x;
    uint64_t rank = at < keys ? rank_of(row[at], first_key + at) : ~uint64_t(0);
    bool wanted = rank < ranks[k - 1];
    unsigned votes = __ballot_sync(FULL_WARP, wanted);
    if (lane == 0) counts[warp] = __popc(votes);
    __syncthreads();
    int place = waiting, all = 0;
    for (int w = 0; w < THREADS / WARP; w++) {
      if (w < warp) place += counts[w];
      all += counts[w];
    }
    if (wanted) ranks[place + __popc(votes & ((1u << lane) - 1))] = rank;
    __syncthreads();
    if (threadIdx.x == 0) waiting += all;
    __syncthreads();
    if (waiting > ROOM - THREADS || (start + THREADS >= keys && waiting > k)) {
      sort(ranks);
      for (int i = k + threadIdx.x; i < ROOM; i += THREADS) ranks[i] = ~uint64_t(0);
      if (threadIdx.x == 0) waiting = k;
      __syncthreads();
    }
  }
  for (int i = threadIdx.x; i < k && i < first_key + keys; i += THREADS) {
    row_best[i] = score_of(ranks[i]);
    row_indices[i] = int(uint32_t(ranks[i]));
  }
}
EXPORT_KERNEL(cosine_top_k_merge)
