// C (+)= A · B, then an epilogue, on Hopper's tensor cores: the method of common/gemm.cuh for operands that were rounded to bf16 before.
//
// Geometry: 256 threads, two warpgroups of 64 rows each, sum 128 × Columns of C; splits as in common/gemm.cuh. 16-byte asynchronous copies bring
// tiles of 64 along k, swizzled, Stages deep: while two tiles are multiplied the next Stages - 2 are on their way. One barrier a tile.
// Both operands may have k along or across their rows in memory: the tensor cores read either order.
// Work: 2 · m · n · k operations. Traffic: 2 · m · n · k (1 / 128 + 1 / Columns) bytes read through L2, half of what f32 operands take.
#pragma once
#include "common/gemm.cuh"
#include "common/wgmma.cuh"

#ifdef HAS_WGMMA
namespace gemm {

constexpr int WARPGROUP = 128;

// What two warpgroups do with a tile of A and one of B.
template <bool KMajorA, bool KMajorB, int Columns>
struct Warpgroups {
  static constexpr int ROWS = 128, BK = 64, THREADS = 2 * WARPGROUP;
  static constexpr int SIZE_A = ROWS * SWIZZLE_LINE, SIZE_B = Columns * SWIZZLE_LINE;  // In bytes.
  static constexpr int GROUP = 8 * SWIZZLE_LINE, BLOCK = BK * SWIZZLE_LINE;            // In both orders 64 rows take a block.

  static constexpr int STAGED_ROW = Columns + 8;  // The gap spreads the 8 rows of a store, and of a load of 16 bytes, over the banks.

  float sums[Columns / 2];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < Columns / 2; i++) sums[i] = 0.0f;
  }

  // Starts the products of a pair of tiles as one group.
  __device__ __forceinline__ void start(unsigned a, unsigned b) {
    a += warpgroup() * BLOCK;
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < BK / 16; step++) {
      wgmma_bf16<!KMajorA, !KMajorB>(sums, descriptor<KMajorA>(a, step), descriptor<KMajorB>(b, step));
    }
    wgmma_commit();
  }

  // Puts the sums into shared memory, which nobody else may use meanwhile; they are there after a barrier.
  __device__ __forceinline__ void store(float* staging) const {
    int thread = threadIdx.x % WARPGROUP, row = 64 * warpgroup() + 16 * (thread / WARP) + thread % WARP / 4;
    float2* to = reinterpret_cast<float2*>(staging + row * STAGED_ROW) + thread % 4;
#pragma unroll
    for (int i = 0; i < Columns / 8; i++) {
      to[4 * i] = make_float2(sums[4 * i], sums[4 * i + 1]);
      to[4 * i + 4 * STAGED_ROW] = make_float2(sums[4 * i + 2], sums[4 * i + 3]);
    }
  }

  // Hands the sums over through shared memory: neighbouring threads write neighbouring columns, and the code that writes is there once, not
  // for every sum.
  template <typename Sink>
  __device__ __forceinline__ void for_each(const Sink& sink, float* staging) const {
    store(staging);
    __syncthreads();
    hand_over(sink, staging);
  }

  // The second half of that, by all threads of a block.
  template <typename Sink>
  __device__ __forceinline__ static void hand_over(const Sink& sink, const float* staging) {
#pragma unroll 1
    for (int i = threadIdx.x; i < ROWS * Columns / 2; i += blockDim.x) {
      int row = i / (Columns / 2), column = i % (Columns / 2) * 2;
      float2 two = *reinterpret_cast<const float2*>(staging + row * STAGED_ROW + column);
      sink.two(row, column, two.x, two.y);
    }
  }

  // Moments of the sums in shared memory, and sums of utterances, if they are wanted.
  __device__ __forceinline__ static void measure(const float* staging, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
    if (epilogue.moments != nullptr) {
      measure_staged<ROWS, Columns, STAGED_ROW>(staging, epilogue, m, n, first_row, first_column);
    } else if (epilogue.utterance_sums != nullptr) {
      sum_utterances_staged<ROWS, Columns, STAGED_ROW>(staging, epilogue, m, n, first_row, first_column);
    }
  }

  // Sums for the norm ahead of the sums in shared memory, if they are wanted; their place is then taken.
  __device__ __forceinline__ static void sum_gradient(float* staging, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
    if (epilogue.gradient_sums != nullptr) {
      sum_gradient_staged<ROWS, Columns, STAGED_ROW, THREADS>(staging, epilogue, m, n, first_row, first_column);
    }
  }

 private:
  // From one lane: the same for the whole warp, as the compiler cannot see otherwise.
  __device__ __forceinline__ static int warpgroup() { return __shfl_sync(FULL_WARP, int(threadIdx.x) / WARPGROUP, 0); }

  // 16 of k: two units of every line, or 16 lines.
  template <bool KMajor>
  __device__ __forceinline__ static uint64_t descriptor(unsigned tile, int step) {
    return operand_descriptor(tile + step * (KMajor ? 32 : 16 * SWIZZLE_LINE), BLOCK, GROUP);
  }
};

// Brings tiles of `Extent` rows or columns of the product by 64 of k, one after another along k. KMajor: k runs along the view's columns. The view
// is of bf16 elements of a matrix or of windows of maps; its segments are multiples of 8 wide and aligned, so that 8 neighbouring columns are one copy.
template <bool KMajor, int Extent, int Threads, typename View = MatrixView>
class SwizzledLoader {
  static constexpr int BK = 64;
  static constexpr int UNITS = (KMajor ? BK : Extent) / 8;
  static constexpr int ROWS_AT_ONCE = Threads / UNITS;
  static constexpr int PASSES = (KMajor ? Extent : BK) / ROWS_AT_ONCE;
  static constexpr int ROWS_KEPT = KMajor ? PASSES : 1;
  static_assert(ROWS_AT_ONCE % 8 == 0, "the rows of a thread lie alike in the swizzle");

 public:
  // Starts with the tile at a row and a column of the view.
  __device__ __forceinline__ SwizzledLoader(const View& view, int row, int column)
      : view_(view), row_(row + row_of_tile()), column_(view.column(column + 8 * unit_of_tile())) {
#pragma unroll
    for (int p = 0; p < ROWS_KEPT; p++) rows_[p] = view.row(row_ + p * ROWS_AT_ONCE);
  }

  // Queues the copies of the present tile and goes to the next along k.
  __device__ __forceinline__ void copy(unsigned char* tile) {
    unsigned char* to = tile + swizzled(unit_of_tile() / 8 * BK * SWIZZLE_LINE + row_of_tile() * SWIZZLE_LINE + unit_of_tile() % 8 * 16);
    bool has_column = view_.has(column_);
    typename View::Row row = rows_[0];
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      if (KMajor) {
        row = rows_[p % ROWS_KEPT];
      } else if (p > 0) {
        view_.move_down(row, ROWS_AT_ONCE);
      }
      bool inside = has_column && row_ + p * ROWS_AT_ONCE < view_.rows;
      unsigned offset = view_.offset(row, column_, inside);
      copy_async_16(to + p * ROWS_AT_ONCE * SWIZZLE_LINE, reinterpret_cast<const uint16_t*>(view_.data) + offset, inside);
    }
    if (KMajor) {
      view_.move_right(column_, BK);
    } else {
      row_ += BK;
      view_.move_down(rows_[0], BK);
    }
  }

 private:
  __device__ __forceinline__ static int row_of_tile() { return int(threadIdx.x) / UNITS; }
  __device__ __forceinline__ static int unit_of_tile() { return int(threadIdx.x) % UNITS; }

  const View& view_;
  int row_;  // Of the thread's first unit.
  typename View::Column column_;
  typename View::Row rows_[ROWS_KEPT];
};

// Where the tiles of a block begin in its dynamic shared memory, which has 1024 bytes more than they take.
__device__ __forceinline__ unsigned char* swizzled_tiles(unsigned char* memory) {
  return memory + (-shared_address(memory) & (SWIZZLE_ALIGNMENT - 1));
}

// The sums of one tile of C over k_count > 0 of k from k_from on, as sum_tile of common/gemm.cuh. Afterwards the tiles' memory is free for others.
template <int Stages, bool KMajorA, bool KMajorB, int Columns, typename ViewA, typename ViewB>
__device__ __forceinline__ void sum_on_warpgroups(Warpgroups<KMajorA, KMajorB, Columns>& math, const ViewA& a, const ViewB& b, int first_row,
                                                  int first_column, int k_from, int k_count, unsigned char* tiles) {
  using Math = Warpgroups<KMajorA, KMajorB, Columns>;
  constexpr int STAGE = Math::SIZE_A + Math::SIZE_B, AHEAD = Stages - 2;
  static_assert(Stages * STAGE >= Math::ROWS * Math::STAGED_ROW * int(sizeof(float)), "the sums take the place of the tiles");
  SwizzledLoader<KMajorA, Math::ROWS, Math::THREADS, ViewA> load_a(a, KMajorA ? first_row : k_from, KMajorA ? k_from : first_row);
  SwizzledLoader<KMajorB, Columns, Math::THREADS, ViewB> load_b(b, KMajorB ? first_column : k_from, KMajorB ? k_from : first_column);
  int steps = divide_up(k_count, Math::BK);
  // Empty groups too, so that the count of groups stays the count of tiles.
  auto bring = [&](int s) {
    if (s < steps) {
      unsigned char* tile = tiles + s % Stages * STAGE;
      load_a.copy(tile);
      load_b.copy(tile + Math::SIZE_A);
    }
    copy_async_commit();
  };
  auto start = [&](int s) {
    copy_async_wait<AHEAD - 1>();
    fence_for_tensor_cores();
    __syncthreads();  // Tile s is there for all; the products of tile s - 2, whose place is taken next, are done in all warps.
    bring(s + AHEAD);
    unsigned tile = shared_address(tiles) + s % Stages * STAGE;
    math.start(tile, tile + Math::SIZE_A);
  };
  for (int s = 0; s < AHEAD; s++) bring(s);
  math.clear();
  start(0);  // Ahead of the loop: entered with zeros, it would not be allowed to leave products unfinished from turn to turn.
#pragma unroll 1
  for (int s = 1; s < steps; s++) {
    start(s);
    wgmma_wait<1>();
  }
  wgmma_finish(math.sums);
  __syncthreads();
}

// One block, with the arguments of multiply in common/gemm.cuh; k_each is a multiple of 64.
template <bool KMajorA, bool KMajorB, int Columns, int Stages>
__device__ __forceinline__ void multiply_on_warpgroups(
    const MatrixView& a, const MatrixView& b, float* c, int c_stride, int m, int n, int k, const ProductEpilogue& epilogue,
    int accumulate, int k_each) {
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* tiles = swizzled_tiles(memory);
  Warpgroups<KMajorA, KMajorB, Columns> math;
  int tiles_of_row = divide_up(n, Columns);
  int first_row = blockIdx.x / tiles_of_row * math.ROWS, first_column = blockIdx.x % tiles_of_row * Columns;
  int k_from = blockIdx.y * k_each;
  sum_on_warpgroups<Stages>(math, a, b, first_row, first_column, k_from, min(k - k_from, k_each), tiles);
  Sink sink(c + int64_t(blockIdx.y) * m * c_stride, c_stride, m, n, epilogue, accumulate != 0, first_row, first_column);
  math.for_each(sink, reinterpret_cast<float*>(tiles));
  if constexpr (KMajorA && KMajorB) math.measure(reinterpret_cast<const float*>(tiles), epilogue, m, n, first_row, first_column);
  if constexpr (KMajorA && !KMajorB) math.sum_gradient(reinterpret_cast<float*>(tiles), epilogue, m, n, first_row, first_column);
}

}  // namespace gemm
#endif
