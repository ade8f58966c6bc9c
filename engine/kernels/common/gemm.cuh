// C (+)= A · B over matrix views, then an epilogue (common/product_epilogue.cuh): the matrix product behind MatMul, Linear, Conv1d and Conv2d.
//
// Geometry: block (tile, split) sums Tile × Tile of C over the split's part of k. Tiles run along N first, so that neighbours read the
// same rows of A from L2. With one split it finishes C; with more it writes sums to parts [split, m, n], which mat_mul_add_splits adds in
// order: no atomics. The partition follows from the shape alone: the same bits always.
//
// f32 and tf32 operands come by asynchronous copies, 3 tiles in flight; bf16 goes through registers, where it is rounded, 2 tiles.
// Operands of tensor cores are rounded to nearest, sums are f32.
// Work: 2 · m · n · k operations. Traffic: 8 · m · n · k / Tile bytes read through L2, at least 4 (m·k + k·n + m·n) from memory.
#pragma once
#include "common/column_moments.cuh"
#include "common/gemm_math.cuh"
#include "common/gradient_sums.cuh"
#include "common/tile_loader.cuh"

namespace gemm {

// Where the sums of one tile go.
class Sink {
 public:
  __device__ __forceinline__ Sink(float* c, int64_t stride, int m, int n, const ProductEpilogue& epilogue, bool accumulate, int first_row, int first_column)
      : c_(c), stride_(stride), epilogue_(epilogue), m_(m), n_(n), row_(first_row), column_(first_column), accumulate_(accumulate),
        by_twos_(reinterpret_cast<uint64_t>(c) % 8 == 0 && stride % 2 == 0) {}

  __device__ __forceinline__ void one(int row, int column, float value) const {
    row += row_;
    column += column_;
    if (row >= m_ || column >= n_) return;
    float* to = c_ + row * stride_ + column;
    value = epilogue_.biased(value, column);
    *to = epilogue_.finished(accumulate_ ? *to + value : value, column);
  }

  // Two neighbouring columns from an even one on.
  __device__ __forceinline__ void two(int row, int column, float x, float y) const {
    if (!by_twos_ || column_ + column + 1 >= n_) {
      one(row, column, x);
      one(row, column + 1, y);
      return;
    }
    row += row_;
    column += column_;
    if (row >= m_) return;
    float2* to = reinterpret_cast<float2*>(c_ + row * stride_ + column);
    x = epilogue_.biased(x, column);
    y = epilogue_.biased(y, column + 1);
    if (accumulate_) {
      float2 old = *to;
      x += old.x;
      y += old.y;
    }
    *to = make_float2(epilogue_.finished(x, column), epilogue_.finished(y, column + 1));
  }

 private:
  float* c_;
  int64_t stride_;
  const ProductEpilogue& epilogue_;
  int m_, n_, row_, column_;
  bool accumulate_, by_twos_;
};

// Asynchronous copies: while a tile is multiplied the next STAGES - 1 are on their way.
template <typename Math, typename LoaderA, typename LoaderB>
__device__ __forceinline__ void multiply_copied(Math& math, LoaderA& a, LoaderB& b, int steps) {
  DYNAMIC_SHARED(float, tiles);
#pragma unroll 1
  for (int s = 0; s < steps + Math::STAGES - 1; s++) {
    if (s >= Math::STAGES - 1) {
      copy_async_wait<Math::STAGES - 2>();
      __syncthreads();  // The tile is there for all threads, and the one to be overwritten was used by all.
    }
    if (s < steps) {
      float* tile = tiles + s % Math::STAGES * (Math::SIZE_A + Math::SIZE_B);
      a.template copy<Math::STRIDE_A>(tile);
      b.template copy<Math::STRIDE_B>(tile + Math::SIZE_A);
      a.advance();
      b.advance();
    }
    copy_async_commit();  // Empty groups too, so that the count of groups stays the count of tiles.
    if (s >= Math::STAGES - 1) {
      const float* tile = tiles + (s - Math::STAGES + 1) % Math::STAGES * (Math::SIZE_A + Math::SIZE_B);
      math.multiply(tile, tile + Math::SIZE_A);
    }
  }
}

// Through registers: the next tile is loaded before the present one is multiplied, rounded and stored after.
template <typename Math, typename LoaderA, typename LoaderB>
__device__ __forceinline__ void multiply_rounded(Math& math, LoaderA& a, LoaderB& b, int steps) {
  DYNAMIC_SHARED(uint16_t, tiles);
  float values_a[LoaderA::PASSES][4], values_b[LoaderB::PASSES][4];
#pragma unroll 1
  for (int s = 0; s <= steps; s++) {
    if (s < steps) {
      a.load(values_a);
      b.load(values_b);
      a.advance();
      b.advance();
    }
    if (s > 0) {
      const uint16_t* tile = tiles + (s - 1) % Math::STAGES * (Math::SIZE_A + Math::SIZE_B);
      math.multiply(tile, tile + Math::SIZE_A);
    }
    if (s < steps) {
      uint16_t* tile = tiles + s % Math::STAGES * (Math::SIZE_A + Math::SIZE_B);
      a.template store_bf16<Math::STRIDE_A>(values_a, tile);
      b.template store_bf16<Math::STRIDE_B>(values_b, tile + Math::SIZE_A);
    }
    __syncthreads();
  }
}

// The sums of one tile of C over k_count of k from k_from on. KMajorA: k runs along the columns of a's view, KMajorB: along those of b's (whose
// view is then of B transposed). The shared memory of the tiles is free for others once all threads are back.
template <template <bool, bool, int> class Arithmetic, bool KMajorA, bool KMajorB, int Tile, typename ViewA, typename ViewB>
__device__ __forceinline__ void sum_tile(Arithmetic<KMajorA, KMajorB, Tile>& math, const ViewA& a, const ViewB& b, int first_row, int first_column,
                                         int k_from, int k_count) {
  using Math = Arithmetic<KMajorA, KMajorB, Tile>;
  int steps = divide_up(k_count, Math::BK);
  TileLoader<KMajorA, Tile, Math::BK, Math::THREADS, ViewA> load_a(a, KMajorA ? first_row : k_from, KMajorA ? k_from : first_row);
  TileLoader<KMajorB, Tile, Math::BK, Math::THREADS, ViewB> load_b(b, KMajorB ? first_column : k_from, KMajorB ? k_from : first_column);
  math.clear();
  if constexpr (Math::ROUNDED) {
    multiply_rounded(math, load_a, load_b, steps);
  } else {
    multiply_copied(math, load_a, load_b, steps);
  }
}

// One block. Blocks (tiles of C, splits of k_each, a multiple of BK); with several splits c is the parts, without gaps, and the epilogue
// and accumulate are left to their adding.
template <template <bool, bool, int> class Arithmetic, bool KMajorA, bool KMajorB, int Tile>
__device__ __forceinline__ void multiply(
    const MatrixView& a, const MatrixView& b, float* c, int c_stride, int m, int n, int k, const ProductEpilogue& epilogue,
    int accumulate, int k_each) {
  int tiles_of_row = divide_up(n, Tile);
  int first_row = blockIdx.x / tiles_of_row * Tile, first_column = blockIdx.x % tiles_of_row * Tile;
  int k_from = blockIdx.y * k_each;
  Arithmetic<KMajorA, KMajorB, Tile> math;
  sum_tile(math, a, b, first_row, first_column, k_from, min(k - k_from, k_each));
  // Maps and convolutions have both operands along k; others are not measured.
  if constexpr (KMajorA && KMajorB) {
    // Divided anew, with a sign this time: kept over the sums, the quotients would cost registers that f32 has not got.
    first_row = int(blockIdx.x) / tiles_of_row * Tile;
    first_column = int(blockIdx.x) % tiles_of_row * Tile;
    if (epilogue.moments != nullptr) measure<Tile>(math, epilogue, m, n, first_row, first_column);
    if (epilogue.utterance_sums != nullptr) sum_utterances<Tile>(math, epilogue, m, n, first_row, first_column);
  }
  math.for_each(Sink(c + int64_t(blockIdx.y) * m * c_stride, c_stride, m, n, epilogue, accumulate != 0, first_row, first_column));
  // Gradients by data have B across k. After the stores and with quotients of their own, for the same want of registers.
  if constexpr (KMajorA && !KMajorB) {
    first_row = int(blockIdx.x) / tiles_of_row * Tile;
    first_column = int(blockIdx.x) % tiles_of_row * Tile;
    if (epilogue.gradient_sums != nullptr) sum_gradient<Tile>(math, epilogue, m, n, first_row, first_column);
  }
}

}  // namespace gemm
