// Every centroid becomes the mean of its rows: a stable counting sort of the rows by label, then sums of segments. No atomics on floats: the bits
// follow from the input alone.
//
//   sort     by 8 bits of the label at a time (one pass up to 256 clusters): histograms of blocks of rows, their running sums, stable scatter
//   starts   where each cluster begins in the sorted order
//   sum      pieces of 512 rows of a cluster, in f64, in the order of the rows; a thread takes one dimension
//   finish   the pieces of a cluster in order; over the sum of factors, or (cosine) over its own length
//
// Each for all problems of a batch at work at once (common/problems.cuh); what follows is said of one. They have as many clusters, and memory of theirs lies
// problem after problem; rows are counted from the own first one.
//
// Traffic: 4 N D bytes of rows, gathered a row at a time, and 24 N for each pass of the sort.
#include "common/problems.cuh"
#include "common/reduce.cuh"

namespace {

constexpr int DIGITS = 256, SORT_THREADS = 256, SORT_WARPS = SORT_THREADS / WARP, SORT_ROWS = 2048, PIECE = 512, SUM_THREADS = 128;

__device__ __forceinline__ int digit_of(const int* labels, int row, int shift) { return labels[row] >> shift & (DIGITS - 1); }

// The last k with starts[k] <= at; starts ascend, starts[0] = 0.
__device__ __forceinline__ int last_start(const int* starts, int count, int at) {
  int low = 0, high = count;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (starts[middle] <= at)
      low = middle;
    else
      high = middle;
  }
  return low;
}

// values[0 … count − 1] become the sums of those before; returns the sum of all. One block of SORT_THREADS.
__device__ __forceinline__ int running_sums(int* values, int count) {
  __shared__ int sums[SORT_THREADS];
  int each = divide_up(count, SORT_THREADS), from = min(count, int(threadIdx.x) * each), to = min(count, from + each);
  int sum = 0;
  for (int i = from; i < to; i++) sum += values[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  int before = 0, all = 0;
  for (int t = 0; t < SORT_THREADS; t++) {
    before += t < int(threadIdx.x) ? sums[t] : 0;
    all += sums[t];
  }
  for (int i = from; i < to; i++) {
    int value = values[i];
    values[i] = before;
    before += value;
  }
  return all;
}

}  // namespace

// order null: the rows as they are. histogram [256, blocks]. Grid (N / 2048, 1, problems), block 256.
KERNEL_BOUNDS(SORT_THREADS)
k_means_update_histogram(const Problems problems, const int* __restrict__ labels, const int* __restrict__ order, int shift, int* __restrict__ histogram) {
  __shared__ int bins[DIGITS];
  Problem own = problems.own();
  labels += own.first;
  if (order != nullptr) order += own.first;
  histogram += int64_t(own.index) * DIGITS * gridDim.x;
  bins[threadIdx.x] = 0;
  __syncthreads();
  int end = min(own.rows, int(blockIdx.x + 1) * SORT_ROWS);
  for (int i = blockIdx.x * SORT_ROWS + threadIdx.x; i < end; i += SORT_THREADS) atomicAdd(&bins[digit_of(labels, order == nullptr ? i : order[i], shift)], 1);
  __syncthreads();
  histogram[int64_t(threadIdx.x) * gridDim.x + blockIdx.x] = bins[threadIdx.x];
}
EXPORT_KERNEL(k_means_update_histogram)

// values [problems, count]. Grid (1, 1, problems), block 256.
KERNEL_BOUNDS(SORT_THREADS)
k_means_update_running_sums(const Problems problems, int* __restrict__ values, int count) {
  running_sums(values + int64_t(problems.own().index) * count, count);
}
EXPORT_KERNEL(k_means_update_running_sums)

// Puts the rows of a block behind those of the blocks before with the same digit, in their order. Grid (N / 2048, 1, problems), block 256.
KERNEL_BOUNDS(SORT_THREADS)
k_means_update_scatter(const Problems problems, const int* __restrict__ labels, const int* __restrict__ order, int shift,
                       const int* __restrict__ histogram, int* __restrict__ sorted) {
  __shared__ int next[DIGITS], of_warp[SORT_WARPS][DIGITS];
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  Problem own = problems.own();
  labels += own.first;
  if (order != nullptr) order += own.first;
  sorted += own.first;
  next[threadIdx.x] = histogram[(int64_t(own.index) * DIGITS + threadIdx.x) * gridDim.x + blockIdx.x];
  for (int start = blockIdx.x * SORT_ROWS; start < min(own.rows, int(blockIdx.x + 1) * SORT_ROWS); start += SORT_THREADS) {
    for (int w = 0; w < SORT_WARPS; w++) of_warp[w][threadIdx.x] = 0;
    __syncthreads();
    int i = start + threadIdx.x;
    bool inside = i < own.rows;
    int row = inside ? (order == nullptr ? i : order[i]) : 0;
    int digit = inside ? digit_of(labels, row, shift) : 0;
    // Lanes of this warp with the same digit.
    unsigned peers = __ballot_sync(FULL_WARP, inside);
#pragma unroll
    for (int bit = 0; bit < 8; bit++) {
      unsigned set = __ballot_sync(FULL_WARP, (digit >> bit & 1) != 0);
      peers &= (digit >> bit & 1) != 0 ? set : ~set;
    }
    int before = __popc(peers & ((1u << lane) - 1));
    if (inside && before == 0) of_warp[warp][digit] = __popc(peers);
    __syncthreads();
    if (inside) {
      int place = next[digit] + before;
      for (int w = 0; w < warp; w++) place += of_warp[w][digit];
      sorted[place] = row;
    }
    __syncthreads();
    for (int w = 0; w < SORT_WARPS; w++) next[threadIdx.x] += of_warp[w][threadIdx.x];
    __syncthreads();
  }
}
EXPORT_KERNEL(k_means_update_scatter)

// starts [K + 1]. Grid (N / 256 + 1, 1, problems), block 256: position N closes the last cluster.
KERNEL_BOUNDS(256)
k_means_update_starts(const Problems problems, const int* __restrict__ labels, const int* __restrict__ order, int clusters, int* __restrict__ starts) {
  Problem own = problems.own();
  labels += own.first;
  order += own.first;
  starts += int64_t(own.index) * (clusters + 1);
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > own.rows) return;
  int label = i < own.rows ? labels[order[i]] : clusters, before = i > 0 ? labels[order[i - 1]] : -1;
  for (int k = before + 1; k <= label; k++) starts[k] = i;
}
EXPORT_KERNEL(k_means_update_starts)

// counts [K]; first_pieces [K + 1]: pieces of the clusters before. Grid (1, 1, problems), block 256.
KERNEL_BOUNDS(SORT_THREADS)
k_means_update_pieces(const Problems problems, const int* __restrict__ starts, int clusters, int* __restrict__ counts, int* __restrict__ first_pieces) {
  int problem = problems.own().index;
  starts += int64_t(problem) * (clusters + 1);
  counts += int64_t(problem) * clusters;
  first_pieces += int64_t(problem) * (clusters + 1);
  for (int k = threadIdx.x; k < clusters; k += SORT_THREADS) {
    int members = starts[k + 1] - starts[k];
    counts[k] = members;
    first_pieces[k] = divide_up(members, PIECE);
  }
  __syncthreads();
  int all = running_sums(first_pieces, clusters);
  if (threadIdx.x == 0) first_pieces[clusters] = all;
}
EXPORT_KERNEL(k_means_update_pieces)

// sums [blocks, D], factors [blocks]. Grid (at least all pieces, D / 128, problems), block 128.
KERNEL_BOUNDS(SUM_THREADS)
k_means_update_sum(const Problems problems, const float* __restrict__ rows, int stride, const float* __restrict__ scales, const int* __restrict__ order,
                   const int* __restrict__ starts, const int* __restrict__ first_pieces, int clusters, int dimension, double* __restrict__ sums,
                   double* __restrict__ factors) {
  __shared__ double scratch[SUM_THREADS / WARP];
  Problem own = problems.own();
  rows += int64_t(own.first) * stride;
  if (scales != nullptr) scales += own.first;
  order += own.first;
  starts += int64_t(own.index) * (clusters + 1);
  first_pieces += int64_t(own.index) * (clusters + 1);
  sums += int64_t(own.index) * gridDim.x * dimension;
  factors += int64_t(own.index) * gridDim.x;
  int piece = blockIdx.x;
  if (piece >= first_pieces[clusters]) return;
  int cluster = last_start(first_pieces, clusters, piece);
  int from = starts[cluster] + (piece - first_pieces[cluster]) * PIECE, to = min(starts[cluster + 1], from + PIECE);
  int d = blockIdx.y * SUM_THREADS + threadIdx.x;
  double sum = 0.0;
  if (d < dimension) {
#pragma unroll 4
    for (int i = from; i < to; i++) {
      int row = order[i];
      double value = rows[int64_t(row) * stride + d];
      sum += scales == nullptr ? value : value * double(scales[row]);
    }
    sums[int64_t(piece) * dimension + d] = sum;
  }
  if (blockIdx.y != 0) return;
  double factor = 0.0;
  for (int i = from + threadIdx.x; i < to; i += SUM_THREADS) factor += scales == nullptr ? 1.0 : double(scales[order[i]]);
  factor = block_sum(factor, scratch);
  if (threadIdx.x == 0) factors[piece] = factor;
}
EXPORT_KERNEL(k_means_update_sum)

// A cluster whose divisor is 0 keeps its centroid. pieces: the blocks that summed. Grid (K, 1, problems), block 128.
KERNEL_BOUNDS(SUM_THREADS)
k_means_update_finish(const Problems problems, const int* __restrict__ first_pieces, int pieces, int dimension, int cosine, double* __restrict__ sums,
                      const double* __restrict__ factors, float* __restrict__ centroids, int stride) {
  __shared__ double scratch[SUM_THREADS / WARP];
  int problem = problems.own().index;
  first_pieces += int64_t(problem) * (gridDim.x + 1);
  sums += int64_t(problem) * pieces * dimension;
  factors += int64_t(problem) * pieces;
  centroids += int64_t(problem) * gridDim.x * stride;
  int first = first_pieces[blockIdx.x], end = first_pieces[blockIdx.x + 1];
  if (first == end) return;
  double squares = 0.0, factor = 0.0;
  for (int d = threadIdx.x; d < dimension; d += SUM_THREADS) {
    double sum = 0.0;
    for (int piece = first; piece < end; piece++) sum += sums[int64_t(piece) * dimension + d];
    sums[int64_t(first) * dimension + d] = sum;
    squares += sum * sum;
  }
  for (int piece = first; piece < end; piece++) factor += factors[piece];
  double divisor = cosine != 0 ? sqrt(block_sum(squares, scratch)) : factor;
  if (!(divisor > 0.0)) return;
  for (int d = threadIdx.x; d < dimension; d += SUM_THREADS)
    centroids[int64_t(blockIdx.x) * stride + d] = float(sums[int64_t(first) * dimension + d] / divisor);
}
EXPORT_KERNEL(k_means_update_finish)
