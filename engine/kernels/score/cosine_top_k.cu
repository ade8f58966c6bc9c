// The k largest of each row's cosines with all keys, in descending order; of equal ones the lower index comes first, a NaN last.
//
// A cosine and its index are one 64-bit number whose order is the wanted one (common/ranked_list.cuh). The numbers of two keys differ, so that neither threads
// nor blocks that come in another order change a result.
//
//   search   k up to 32: tiles of cosines as in common/gemm.cuh. A thread compares the sums in its registers with the k-th best of their rows so far; the
//            few that are above it go to shared memory, and a warp a row takes them into the row's list, which lies there too, a rank a lane.
//            No cosine is written to memory: a block walks over keys and leaves k numbers a row. On compute capability 9.0 also with
//            common/streamed_rows.cuh (HAS_SM90A), over bf16 copies of both: rows are then a warp's own, and no thread waits for another warp.
//   combine  the lists of blocks that shared the keys
//   merge    any k, for cosines that come in chunks from a product of their own, in the order of the keys: lists of hundreds for each row of a tile have
//            no room in shared memory.
//
// Work: 2 N M D. Traffic of search: 4 D (N + M · row tiles) bytes through L2, or 2 D of copies; of merge, with the product before it, 8 N M.
#include "common/gemm.cuh"
#include "common/ranked_list.cuh"
#include "common/streamed_rows.cuh"

namespace {

constexpr int COMBINE_WARPS = 8, THREADS = 256, ROOM = 2048;  // The list (at most 1024) and what waits to be sorted into it.

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

// Where lists go that are done: as they are where blocks share the keys, [parts, rows, k], else their cosines and indices.
struct Found {
  uint64_t* parts;
  float* cosines;
  int* indices;

  // Of a warp.
  __device__ __forceinline__ void take(uint64_t list, int row, int rows, int k) const {
    int lane = threadIdx.x % WARP;
    if (row >= rows || lane >= k) return;
    int64_t at = int64_t(row) * k + lane;
    if (gridDim.y > 1) {
      parts[int64_t(blockIdx.y) * rows * k + at] = list;
    } else {
      cosines[at] = score_of(list);
      indices[at] = index_of(list);
    }
  }
};

// What a cosine has to beat: anything will do where a list has room, nothing where there is no row.
__device__ __forceinline__ float first_floor(int row, int rows) { return row < rows ? score_of(NO_RANK) : __uint_as_float(0x7f800000u); }

// Written so that a NaN is neither above nor below; its rank then tells.
__device__ __forceinline__ bool may_enter(float cosine, float floor) { return !(cosine <= floor); }

// What the compiler should know of a plain matrix, to keep less of where its tiles are in registers.
__device__ __forceinline__ MatrixView plain(MatrixView view) {
  view.inner = view.positions = 0x7fffffff;
  view.outer_stride = 0;
  view.step = view.shift = view.reflects = 0;
  return view;
}

template <template <bool, bool, int> class Arithmetic, int Tile>
__device__ __forceinline__ void search(const MatrixView& all_queries, const MatrixView& all_keys, int width, int tiles_each, int k, const Found& found) {
  using Math = Arithmetic<true, true, Tile>;
  constexpr int OPERANDS = Math::STAGES * Math::STAGE_BYTES, COSINES = Tile * Tile * int(sizeof(float)), WARPS = Math::THREADS / WARP, WORDS = Tile / WARP;
  DYNAMIC_SHARED(unsigned char, memory);
  __shared__ unsigned marks[Tile][WORDS];  // Which columns of a row may enter its list; their cosines, and no others, are in the operands' place.
  __shared__ float floors[Tile];
  float* cosines = reinterpret_cast<float*>(memory);
  uint64_t* lists = reinterpret_cast<uint64_t*>(memory + (OPERANDS > COSINES ? OPERANDS : COSINES));
  MatrixView queries = plain(all_queries), keys = plain(all_keys);
  int first_row = blockIdx.x * Tile, lane = threadIdx.x % WARP, warp_row = threadIdx.x / WARP * (Tile / WARPS);
  int tiles = divide_up(keys.rows, Tile), end = min(tiles, int(blockIdx.y + 1) * tiles_each);
  for (int i = threadIdx.x; i < Tile * k; i += Math::THREADS) lists[i] = NO_RANK;
  for (int i = threadIdx.x; i < Tile * WORDS; i += Math::THREADS) marks[i / WORDS][i % WORDS] = 0;
  for (int i = threadIdx.x; i < Tile; i += Math::THREADS) floors[i] = first_floor(first_row + i, queries.rows);

#pragma unroll 1
  for (int tile = blockIdx.y * tiles_each; tile < end; tile++) {
    Math math;
    gemm::sum_tile(math, queries, keys, first_row, tile * Tile, 0, width);
    __syncthreads();  // All have read the operands, whose place cosines take.
#pragma unroll
    for (int i = 0; i < Math::OWN_ROWS; i++) {
      int row = Math::row_of(i);
      float floor = floors[row];
      bool any = false;
#pragma unroll
      for (int j = 0; j < Math::OWN_COLUMNS; j++) any |= may_enter(math.sum(i, j), floor);
      if (!any) continue;
#pragma unroll
      for (int j = 0; j < Math::OWN_COLUMNS; j++) {
        if (!may_enter(math.sum(i, j), floor)) continue;
        int column = Math::column_of(j);
        cosines[row * Tile + column] = math.sum(i, j);
        atomicOr(&marks[row][column / WARP], 1u << column % WARP);
      }
    }
    __syncthreads();
    bool marked = false;
    if (lane < Tile / WARPS) {
#pragma unroll
      for (int w = 0; w < WORDS; w++) marked |= marks[warp_row + lane][w] != 0;
    }
    for (unsigned rows = __ballot_sync(FULL_WARP, marked); rows != 0; rows &= rows - 1) {
      int row = warp_row + __ffs(int(rows)) - 1;
      uint64_t list = ranked_list::load(lists + row * k, k);
#pragma unroll 1
      for (int w = 0; w < WORDS; w++) {
        int column = w * WARP + lane, key = tile * Tile + column;
        bool enters = (marks[row][w] >> lane & 1) != 0 && key < keys.rows;
        list = ranked_list::offered(list, k, enters ? rank_of(cosines[row * Tile + column], key) : NO_RANK);
      }
      ranked_list::store(list, lists + row * k, k);
      uint64_t last = __shfl_sync(FULL_WARP, list, k - 1);
      __syncwarp();  // All lanes have read the marks.
      if (lane < WORDS) marks[row][lane] = 0;
      if (lane == 0) floors[row] = score_of(last);
    }
    __syncthreads();  // All have read the cosines, whose place the next operands take.
  }
  for (int row = warp_row; row < warp_row + Tile / WARPS; row++) found.take(ranked_list::load(lists + row * k, k), first_row + row, queries.rows, k);
}

#ifdef HAS_WGMMA
constexpr int STREAM_TILE = 128, STREAM_STAGES = 8, WARP_ROWS = 16, CONSUMER_WARPS = streamed::CONSUMERS / WARP;

// Columns of a tile that are looked at together: one a lane in turn.
constexpr int GROUP = WARP, GROUP_PAIRS = GROUP / 8;

// A warp has 16 rows to itself, whose lists and a group of whose cosines lie in shared memory.
__device__ __forceinline__ void search_on_warpgroups(const TensorMap& queries, const TensorMap& keys, int rows, int key_rows, int tiles_each, int pieces,
                                                     int resident, int stages, int k, const Found& found) {
  DYNAMIC_SHARED(unsigned char, memory);
  __shared__ streamed::Barriers<STREAM_STAGES> barriers;
  __shared__ float groups[CONSUMER_WARPS][WARP_ROWS][GROUP + 1];  // A column lies in different banks.
  int first_tile = blockIdx.y * tiles_each, end = min(divide_up(key_rows, STREAM_TILE), first_tile + tiles_each);
  streamed::Rows<STREAM_TILE, STREAM_STAGES> products(
      barriers, {int(blockIdx.x) * streamed::OWN_TILE, first_tile * STREAM_TILE, end - first_tile, pieces, 0, resident, stages});
  if (products.copies()) return products.bring(queries, keys);
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, first_row = blockIdx.x * streamed::OWN_TILE + warp * WARP_ROWS;
  float(*group)[GROUP + 1] = groups[warp];
  uint64_t* lists = reinterpret_cast<uint64_t*>(gemm::swizzled_tiles(memory) + (resident + stages) * streamed::OWN_PIECE) + warp * WARP_ROWS * k;
  for (int i = lane; i < WARP_ROWS * k; i += WARP) lists[i] = NO_RANK;
  float floors[2] = {first_floor(first_row + lane / 4, rows), first_floor(first_row + lane / 4 + 8, rows)};
  products.begin();
#pragma unroll 1
  for (int tile = first_tile; tile < end; tile++) {
    float sums[products.SUMS];
    products.multiply(sums);
#pragma unroll
    for (int first = 0; first < STREAM_TILE / 8; first += GROUP_PAIRS) {
      bool enters[2] = {false, false};
#pragma unroll
      for (int q = first; q < first + GROUP_PAIRS; q++) {
#pragma unroll
        for (int e = 0; e < 4; e++) enters[e / 2] |= may_enter(sums[4 * q + e], floors[e / 2]);
      }
      if (!__any_sync(FULL_WARP, enters[0] || enters[1])) continue;
#pragma unroll
      for (int q = 0; q < GROUP_PAIRS; q++) {
#pragma unroll
        for (int e = 0; e < 4; e++) group[lane / 4 + e / 2 * 8][8 * q + streamed::own_column() + e % 2] = sums[4 * (first + q) + e];
      }
      __syncwarp();  // All have written the group, and the lists before.
      int key = tile * STREAM_TILE + 8 * first + lane;
#pragma unroll
      for (int i = 0; i < 2; i++) {
        unsigned four = 0xf;
        for (unsigned lanes = __ballot_sync(FULL_WARP, enters[i]); lanes != 0; lanes &= ~four) {
          int own = (__ffs(int(lanes)) - 1) / 4, row = own + 8 * i;
          four = 0xfu << 4 * own;  // The lanes that share the row.
          uint64_t list = ranked_list::load(lists + row * k, k);
          list = ranked_list::offered(list, k, key < key_rows ? rank_of(group[row][lane], key) : NO_RANK);
          ranked_list::store(list, lists + row * k, k);
          float floor = score_of(__shfl_sync(FULL_WARP, list, k - 1));
          if (lane / 4 == own) floors[i] = floor;
        }
      }
      __syncwarp();  // All have read the group, whose place the next takes.
    }
  }
  __syncwarp();
  for (int row = 0; row < WARP_ROWS; row++) found.take(ranked_list::load(lists + row * k, k), first_row + row, rows, k);
}
#endif

}  // namespace

// Grid (rows / tile, parts of tiles_each tiles of keys), block 2 · tile. k up to 32; dynamic shared memory for 8 · tile · k bytes more than the operands
// or, in their place, a tile of cosines take.
#define SEARCH(name, Arithmetic, tile)                                                                                                                   \
  KERNEL_BLOCKS(2 * tile, 256 / tile)                                                                                                                    \
  name(const MatrixView queries, const MatrixView keys, int width, int tiles_each, int k, uint64_t* __restrict__ parts, float* __restrict__ cosines,      \
       int* __restrict__ indices) {                                                                                                                      \
    search<gemm::Arithmetic, tile>(queries, keys, width, tiles_each, k, {parts, cosines, indices});                                                      \
  }                                                                                                                                                      \
  EXPORT_KERNEL(name)

SEARCH(cosine_top_k_fp32_128, Fp32, 128)
SEARCH(cosine_top_k_fp32_64, Fp32, 64)
SEARCH(cosine_top_k_tf32_128, Tf32, 128)
SEARCH(cosine_top_k_tf32_64, Tf32, 64)
SEARCH(cosine_top_k_bf16_128, Bf16, 128)
SEARCH(cosine_top_k_bf16_64, Bf16, 64)

#ifdef HAS_WGMMA
// The same over rounded copies, by tiles of 128; block 288. Maps of boxes of 128 rows; pieces of 64 of the width, of which `resident` of a block's rows stay
// in shared memory; stages of 128 keys by 64; behind them 1024 · k bytes for lists. One block a multiprocessor: while one warpgroup looks at cosines the other
// has the tensor cores.
KERNEL_BLOCKS(streamed::THREADS, 1)
cosine_top_k_wgmma(const __grid_constant__ TensorMap queries, const __grid_constant__ TensorMap keys, int rows, int key_rows, int tiles_each, int pieces,
                   int resident, int stages, int k, uint64_t* __restrict__ parts, float* __restrict__ cosines, int* __restrict__ indices) {
  search_on_warpgroups(queries, keys, rows, key_rows, tiles_each, pieces, resident, stages, k, {parts, cosines, indices});
}
EXPORT_KERNEL(cosine_top_k_wgmma)
#endif

// lists [parts, rows, k]. A block a row, of up to 8 warps that share the parts. Grid (rows).
KERNEL_BOUNDS(COMBINE_WARPS * WARP)
cosine_top_k_combine(const uint64_t* __restrict__ lists, int parts, int rows, int k, float* __restrict__ cosines, int* __restrict__ indices) {
  __shared__ uint64_t kept[COMBINE_WARPS][WARP];
  int row = blockIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  uint64_t list = NO_RANK;
  for (int part = warp; part < parts; part += warps) list = ranked_list::merged(list, ranked_list::load(lists + (int64_t(part) * rows + row) * k, k));
  kept[warp][lane] = list;
  __syncthreads();
  if (warp != 0) return;
  for (int w = 1; w < warps; w++) list = ranked_list::merged(list, kept[w][lane]);
  Found{nullptr, cosines, indices}.take(list, row, rows, k);
}
EXPORT_KERNEL(cosine_top_k_combine)

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
  for (int i = threadIdx.x; i < ROOM; i += THREADS) ranks[i] = i < held ? rank_of(row_best[i], row_indices[i]) : NO_RANK;
  if (threadIdx.x == 0) waiting = k;
  __syncthreads();

  for (int start = 0; start < keys; start += THREADS) {
    int at = start + threadIdx.x;
    uint64_t rank = at < keys ? rank_of(row[at], first_key + at) : NO_RANK;
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
      for (int i = k + threadIdx.x; i < ROOM; i += THREADS) ranks[i] = NO_RANK;
      if (threadIdx.x == 0) waiting = k;
      __syncthreads();
    }
  }
  for (int i = threadIdx.x; i < k && i < first_key + keys; i += THREADS) {
    row_best[i] = score_of(ranks[i]);
    row_indices[i] = index_of(ranks[i]);
  }
}
EXPORT_KERNEL(cosine_top_k_merge)
