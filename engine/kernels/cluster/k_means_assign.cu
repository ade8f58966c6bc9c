// The nearest of K centroids for each of N rows: largest x·c − ‖c‖²/2, or x·c under cosine; equals go to the lowest index.
//
//   norms   ‖c‖²/2 and the largest ‖c‖
//   search  tiles of x·c as in common/gemm.cuh; each is put into shared memory and reduced to the best two scores of its rows before the next
//           is made. N × K is never stored: a block walks over the centroids and leaves 12 bytes a row. On compute capability 9.0 also with
//           common/streamed_rows.cuh (HAS_SM90A), over bf16 copies of both: its rows stay, the centroids stream past, scores stay in registers.
//   finish  a warp a row: merges the blocks' answers; where the two best scores are closer than what rounding can move, all centroids are
//           compared again in f32, and those that are still within its error in f64. So labels are those of f64 arithmetic in every precision.
//           Then the row's distance to its centroid in f64, and the sums over all rows in a fixed order.
//   total   those sums added up
//
// Each for all problems of a batch at work at once (common/problems.cuh); what follows is said of one. They have as many centroids, and memory of theirs lies
// problem after problem.
//
// Work: 2 N K D; traffic of search 4 D (N + K · row tiles) bytes through L2, of finish 8 N D.
#include "common/gemm.cuh"
#include "common/problems.cuh"
#include "common/reduce.cuh"
#include "common/streamed_rows.cuh"

struct NearestTwo {
  float best, second;
  int index;
};

namespace {

constexpr float NOTHING = -3.0e38f;
constexpr int OFFSETS = 128;  // Those of a problem are padded to a multiple of this.
constexpr int FINISH_THREADS = 256, FINISH_WARPS = FINISH_THREADS / WARP;

// Keeps the better of two candidates; what loses may still be the second.
__device__ __forceinline__ void take(NearestTwo& own, float score, int index, float second) {
  bool wins = score > own.best || (score == own.best && index < own.index);
  own.second = fmaxf(wins ? own.best : score, wins ? second : own.second);
  own.best = wins ? score : own.best;
  own.index = wins ? index : own.index;
}

// The answer of the lane whose number differs in one bit, too.
__device__ __forceinline__ void take_from(NearestTwo& own, int bit) {
  NearestTwo other;
  other.best = __shfl_xor_sync(FULL_WARP, own.best, bit);
  other.second = __shfl_xor_sync(FULL_WARP, own.second, bit);
  other.index = __shfl_xor_sync(FULL_WARP, own.index, bit);
  take(own, other.best, other.index, other.second);
}

// Two threads have searched a row: the answer of both goes out.
__device__ __forceinline__ void leave(NearestTwo nearest, int first_row, int rows, NearestTwo* results) {
  take_from(nearest, 1);
  int row = first_row + threadIdx.x / 2;
  if (threadIdx.x % 2 == 0 && row < rows) results[row] = nearest;
}

// Rows of a plain matrix.
__device__ __forceinline__ MatrixView part(MatrixView view, int first, int rows) {
  view.data += int64_t(first) * view.row_stride;
  view.rows = view.inner = view.positions = rows;
  return view;
}

// Sums of a tile go to shared memory, one word apart from a power of two, so that a column of it lies in different banks.
template <int Tile>
struct ScoreSink {
  float* scores;
  __device__ __forceinline__ void one(int row, int column, float value) const { scores[row * (Tile + 1) + column] = value; }
  __device__ __forceinline__ void two(int row, int column, float x, float y) const {
    one(row, column, x);
    one(row, column + 1, y);
  }
};

template <template <bool, bool, int> class Arithmetic, int Tile>
__device__ __forceinline__ void search(const Problems& problems, const MatrixView& all_rows, const MatrixView& all_centroids, int clusters,
                                       const float* offsets, int dimension, int tiles_each, NearestTwo* results) {
  DYNAMIC_SHARED(float, scores);
  Problem own = problems.own();
  int first_row = blockIdx.x * Tile, own_row = threadIdx.x / 2, half = threadIdx.x % 2;
  if (first_row >= own.rows) return;
  MatrixView rows = part(all_rows, own.first, own.rows), centroids = part(all_centroids, own.index * clusters, clusters);
  offsets += int64_t(own.index) * divide_up(clusters, OFFSETS) * OFFSETS;
  int tiles = divide_up(centroids.rows, Tile), end = min(tiles, int(blockIdx.y + 1) * tiles_each);
  NearestTwo nearest = {NOTHING, NOTHING, 0x7fffffff};
  for (int tile = blockIdx.y * tiles_each; tile < end; tile++) {
    Arithmetic<true, true, Tile> math;
    gemm::sum_tile(math, rows, centroids, first_row, tile * Tile, 0, dimension);
    __syncthreads();  // All have read the operands, whose place the scores take.
    math.for_each(ScoreSink<Tile>{scores});
    __syncthreads();
    int valid = min(Tile, centroids.rows - tile * Tile);
    for (int column = half; column < valid; column += 2)
      take(nearest, scores[own_row * (Tile + 1) + column] - offsets[tile * Tile + column], tile * Tile + column, NOTHING);
    __syncthreads();  // All have read the scores, whose place the next operands take.
  }
  leave(nearest, first_row, own.rows, results + problems.room(blockIdx.y));
}

#ifdef HAS_WGMMA
constexpr int STREAM_TILE = 128, STREAM_STAGES = 8;

// Offers a score; a thread's centroids come in ascending order, so that equals go to the lowest index. A NaN makes both scores equal: see finish.
__device__ __forceinline__ void offer(NearestTwo& own, float score, int index) {
  own.second = fmaxf(own.second, fminf(own.best, score));
  bool wins = score > own.best;
  own.best = wins ? score : own.best;
  own.index = wins ? index : own.index;
}

// Offsets beyond the last centroid are such that none of them wins.
__device__ __forceinline__ void search_on_warpgroups(const Problems& problems, const TensorMap& rows, const TensorMap& centroids, const float* offsets,
                                                     int tiles, int tiles_each, int pieces, int resident, int stages, NearestTwo* results) {
  __shared__ streamed::Barriers<STREAM_STAGES> barriers;
  Problem own = problems.own();
  if (int(blockIdx.x) * streamed::OWN_TILE >= own.rows) return;
  offsets += int64_t(own.index) * tiles * STREAM_TILE;
  int first_row = blockIdx.x * streamed::OWN_TILE, first_tile = blockIdx.y * tiles_each, end = min(tiles, first_tile + tiles_each);
  streamed::Rows<STREAM_TILE, STREAM_STAGES> products(
      barriers, {own.first + first_row, first_tile * STREAM_TILE, end - first_tile, pieces, 0, resident, stages, own.index});
  if (products.copies()) return products.bring(rows, centroids);
  NearestTwo nearest[2] = {{NOTHING, NOTHING, 0x7fffffff}, {NOTHING, NOTHING, 0x7fffffff}};
  products.begin();
#pragma unroll 1
  for (int tile = first_tile; tile < end; tile++) {
    float sums[products.SUMS];
    products.multiply(sums);
    int first = tile * STREAM_TILE + streamed::own_column();
#pragma unroll
    for (int q = 0; q < STREAM_TILE / 8; q++) {
      float2 two = *reinterpret_cast<const float2*>(offsets + first + 8 * q);
#pragma unroll
      for (int i = 0; i < 2; i++) {
        offer(nearest[i], sums[4 * q + 2 * i] - two.x, first + 8 * q);
        offer(nearest[i], sums[4 * q + 2 * i + 1] - two.y, first + 8 * q + 1);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    for (int lane = 2; lane > 0; lane /= 2) take_from(nearest[i], lane);
    int row = first_row + streamed::own_row() + 8 * i;
    if (threadIdx.x % 4 == 0 && row < own.rows) results[problems.room(blockIdx.y) + row] = nearest[i];
  }
}
#endif

__device__ __forceinline__ float dot(const float* x, const float* c, int dimension) {
  float sum = 0.0f;
  for (int d = threadIdx.x % WARP; d < dimension; d += WARP) sum = fmaf(x[d], c[d], sum);
  return warp_sum(sum);
}

// Euclidean: squared distance; cosine: dot product. In f64, with the same order of sums for every centroid.
__device__ __forceinline__ double exact(const float* x, const float* c, int dimension, int cosine) {
  double sum = 0.0;
  for (int d = threadIdx.x % WARP; d < dimension; d += WARP) {
    double difference = double(x[d]) - double(c[d]);
    sum += cosine != 0 ? double(x[d]) * double(c[d]) : difference * difference;
  }
  return warp_sum(sum);
}

}  // namespace

// offsets [padded]: ‖c‖²/2, or 0 under cosine, of K centroids; behind them what no centroid has. largest: the bits of the largest ‖c‖, 0 before.
// One warp a centroid. Grid (padded / 8, 1, problems), block 256.
KERNEL_BOUNDS(256)
k_means_assign_norms(const Problems problems, const float* __restrict__ centroids, int stride, int clusters, int padded, int dimension, int cosine,
                     float* __restrict__ offsets, unsigned* __restrict__ largest) {
  int problem = problems.own().index;
  centroids += int64_t(problem) * clusters * stride;
  offsets += int64_t(problem) * padded;
  int k = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (k >= clusters) {
    if (k < padded && threadIdx.x % WARP == 0) offsets[k] = -NOTHING;
    return;
  }
  const float* c = centroids + int64_t(k) * stride;
  double sum = 0.0;
  for (int d = threadIdx.x % WARP; d < dimension; d += WARP) sum += double(c[d]) * double(c[d]);
  sum = warp_sum(sum);
  if (threadIdx.x % WARP != 0) return;
  offsets[k] = cosine != 0 ? 0.0f : float(0.5 * sum);
  // Positive numbers are ordered as their bits are, and a maximum does not depend on the order: an atomic is deterministic here.
  atomicMax(largest + problem, __float_as_uint(float(sqrt(sum))));
}
EXPORT_KERNEL(k_means_assign_norms)

// results [splits, problems, most rows]. Grid (rows / tile, splits of tiles_each tiles of centroids, problems), block 2 · tile.
#define SEARCH(name, Arithmetic, tile)                                                                                            \
  extern "C" __global__ void __launch_bounds__(2 * tile, 256 / tile)                                                              \
  name(const Problems problems, const MatrixView rows, const MatrixView centroids, int clusters, const float* __restrict__ offsets, \
       int dimension, int tiles_each, NearestTwo* __restrict__ results) {                                                         \
    search<gemm::Arithmetic, tile>(problems, rows, centroids, clusters, offsets, dimension, tiles_each, results);                 \
  }                                                                                                                               \
  EXPORT_KERNEL(name)

SEARCH(k_means_assign_fp32_128, Fp32, 128)
SEARCH(k_means_assign_fp32_64, Fp32, 64)
SEARCH(k_means_assign_tf32_128, Tf32, 128)
SEARCH(k_means_assign_tf32_64, Tf32, 64)
SEARCH(k_means_assign_bf16_128, Bf16, 128)
SEARCH(k_means_assign_bf16_64, Bf16, 64)

#ifdef HAS_WGMMA
// The same over rounded copies, by tiles of 128; block 288. Maps of boxes of 128 rows, of centroids problem by problem; pieces of 64 of the width, of which `resident` of a block's rows stay
// in shared memory; stages of 128 centroids by 64. Up to a width of 256 there is room for two blocks on a multiprocessor.
KERNEL_BLOCKS(streamed::THREADS, 2)
k_means_assign_wgmma(const Problems problems, const __grid_constant__ TensorMap rows, const __grid_constant__ TensorMap centroids,
                     const float* __restrict__ offsets, int tiles, int tiles_each, int pieces, int resident, int stages,
                     NearestTwo* __restrict__ results) {
  search_on_warpgroups(problems, rows, centroids, offsets, tiles, tiles_each, pieces, resident, stages, results);
}
EXPORT_KERNEL(k_means_assign_wgmma)
#endif

// error: what rounding of operands and sums can change a product by, relative to ‖x‖ ‖c‖; error_f32: the same for f32.
// labels: in the old ones, out the new. partial_objective and partial_changed [problems, blocks]: of `each` rows. Grid (N / each, 1, problems), block 256.
KERNEL_BOUNDS(FINISH_THREADS)
k_means_assign_finish(const Problems problems, const float* __restrict__ rows, int stride, int dimension, const float* __restrict__ centroids,
                      int centroid_stride, int clusters, int padded, int cosine, const float* __restrict__ offsets, const float* __restrict__ largest,
                      const NearestTwo* __restrict__ results, int splits, float error, float error_f32, const float* __restrict__ scales,
                      int* __restrict__ labels, float* __restrict__ distances, int each, double* __restrict__ partial_objective,
                      int* __restrict__ partial_changed) {
  __shared__ double objectives[FINISH_WARPS];
  __shared__ int changes[FINISH_WARPS];
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  Problem own = problems.own();
  if (int64_t(blockIdx.x) * each >= own.rows) return;
  rows += int64_t(own.first) * stride;
  centroids += int64_t(own.index) * clusters * centroid_stride;
  offsets += int64_t(own.index) * padded;
  float reach = largest[own.index];
  // Of the offsets, and of their subtraction.
  float offset_error = 2.4e-7f * reach * reach;
  double objective = 0.0;
  int changed = 0, end = min(own.rows, int(blockIdx.x + 1) * each);
  for (int row = blockIdx.x * each + warp; row < end; row += FINISH_WARPS) {
    const float* x = rows + int64_t(row) * stride;
    NearestTwo nearest = results[problems.room(0) + row];
    for (int s = 1; s < splits; s++) {
      NearestTwo other = results[problems.room(s) + row];
      take(nearest, other.best, other.index, other.second);
    }
    float length = sqrtf(dot(x, x, dimension));
    // The only centroid may have a score that overflows, so that the search found none. Written so that a NaN leads to the comparison of all, as do two
    // scores below all that the search counts.
    int label = clusters > 1 ? nearest.index : 0;
    if (clusters > 1 && !(nearest.best - nearest.second > 2.0f * (error * length * reach + offset_error))) {
      float limit = NOTHING;
      for (int k = 0; k < clusters; k++) limit = fmaxf(limit, dot(x, centroids + int64_t(k) * centroid_stride, dimension) - offsets[k]);
      limit -= 2.0f * (error_f32 * length * reach + offset_error);
      double best = 0.0;
      label = -1;
      for (int k = 0; k < clusters; k++) {
        const float* c = centroids + int64_t(k) * centroid_stride;
        if (dot(x, c, dimension) - offsets[k] < limit) continue;
        double value = exact(x, c, dimension, cosine);
        if (label < 0 || (cosine != 0 ? value > best : value < best)) {
          best = value;
          label = k;
        }
      }
      label = max(label, 0);
    }
    double value = exact(x, centroids + int64_t(label) * centroid_stride, dimension, cosine);
    int place = own.first + row;
    double factor = scales == nullptr ? 1.0 : double(scales[place]);
    objective += factor * (cosine != 0 ? -value : value);
    changed += labels[place] != label ? 1 : 0;
    __syncwarp();  // All lanes have read the old label.
    if (lane == 0) {
      labels[place] = label;
      distances[place] = float(value);
    }
  }
  if (lane == 0) {
    objectives[warp] = objective;
    changes[warp] = changed;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < FINISH_WARPS; w++) {
    objective += objectives[w];
    changed += changes[w];
  }
  int64_t at = int64_t(own.index) * gridDim.x + blockIdx.x;
  partial_objective[at] = objective;
  partial_changed[at] = changed;
}
EXPORT_KERNEL(k_means_assign_finish)

// total [problems, 2]: objective and number of changed labels, both as f64. Partial ones: `parts` of each problem, of `each` rows. Grid (1, 1, problems),
// block 256.
KERNEL_BOUNDS(256)
k_means_assign_total(const Problems problems, const double* __restrict__ partial_objective, const int* __restrict__ partial_changed, int parts, int each,
                     double* __restrict__ total) {
  __shared__ double scratch[256 / WARP];
  Problem own = problems.own();
  double objective = 0.0, changed = 0.0;
  for (int i = threadIdx.x; i < divide_up(own.rows, each); i += blockDim.x) {
    int64_t at = int64_t(own.index) * parts + i;
    objective += partial_objective[at];
    changed += partial_changed[at];
  }
  objective = block_sum(objective, scratch);
  changed = block_sum(changed, scratch);
  if (threadIdx.x == 0) {
    total[2 * own.index] = objective;
    total[2 * own.index + 1] = changed;
  }
}
EXPORT_KERNEL(k_means_assign_total)
