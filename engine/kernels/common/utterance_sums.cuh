// Sums over time of the columns of a matrix product whose rows are the frames of utterances, one after another, while they are in registers or shared
// memory: what squeeze and excitation would else read all of the norm's result for.
//
// utterance_sums [row tiles, 2, n]: of the tile's rows that belong to the utterance of its first row, and of those behind them. An utterance has no
// fewer frames than a tile has rows, so these are of the next one, or rows beyond the last one, whose sums nobody reads. batch_norm_time_means
// (encoder/batch_norm.cu) adds up the parts of each utterance.
//
//   inference  Σ of what is stored, as the norm is done here
//   training   Σ (a − pivot) of a = activation(v), about the pivot of the tile's moments: the norm's map follows once its statistics are known, and a mean
//              that is large against the deviation costs no digits
//
// Order: rows of a thread, lanes of a warp, warps: the same bits always. Traffic: 8 bytes a tile and column.
#pragma once
#include "common/product_epilogue.cuh"

namespace gemm {

// How many rows of a tile belong to the utterance of its first one.
__device__ __forceinline__ int rows_to_border(const ProductEpilogue& epilogue, int first_row, int rows) {
  return min(rows, epilogue.frames - first_row % epilogue.frames);
}

__device__ __forceinline__ void store_utterance_sums(const ProductEpilogue& epilogue, int tile, int n, int column, float before, float after) {
  float* to = epilogue.utterance_sums + int64_t(tile) * 2 * n + column;
  to[0] = before;
  to[n] = after;
}

// Of sums in registers, by all threads of a block of 2 · Tile, with the shared memory of the tiles; where there are moments, after `measure`, whose
// pivots are still there.
template <int Tile, typename Math>
__device__ __forceinline__ void sum_utterances(const Math& math, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
  static_assert(Tile * (sizeof(float) + Math::ROW_WARPS * sizeof(float2)) <= Math::STAGES * Math::STAGE_BYTES, "more than the tiles take");
  DYNAMIC_SHARED(float, pivots);
  float2* partial = reinterpret_cast<float2*>(pivots + Tile);
  int rows = min(Tile, m - first_row), columns = min(Tile, n - first_column);
  int own_before = divide_up(rows_to_border(epilogue, first_row, rows) - Math::row_of(0), Math::ROWS_APART);
  __syncthreads();  // All threads have read their last tiles, or moments.
#pragma unroll
  for (int j = 0; j < Math::OWN_COLUMNS; j++) {
    int column = Math::column_of(j);
    float before = 0.0f, after = 0.0f;
    if (column < columns) {
      float bias = epilogue.biased(0.0f, first_column + column), pivot = epilogue.moments == nullptr ? 0.0f : pivots[column];
#pragma unroll
      for (int i = 0; i < Math::OWN_ROWS; i++) {
        float value = epilogue.measured(math.sum(i, j) + bias, first_column + column) - pivot;
        before += i < own_before ? value : 0.0f;
        after += i < own_before ? 0.0f : value;
      }
    }
#pragma unroll
    for (int apart = Math::LANES_APART; apart < WARP; apart *= 2) {
      before += __shfl_xor_sync(FULL_WARP, before, apart);
      after += __shfl_xor_sync(FULL_WARP, after, apart);
    }
    if (threadIdx.x % WARP < Math::LANES_APART) partial[Math::row_warp() * Tile + column] = make_float2(before, after);
  }
  __syncthreads();
  int column = threadIdx.x;
  if (column < columns) {
    float2 sums = partial[column];
    for (int warp = 1; warp < Math::ROW_WARPS; warp++) {
      sums.x += partial[warp * Tile + column].x;
      sums.y += partial[warp * Tile + column].y;
    }
    store_utterance_sums(epilogue, first_row / Tile, n, first_column + column, sums.x, sums.y);
  }
}

// Of sums that lie in shared memory row by row, a thread a column, in inference: in training measure_staged has them by the way.
template <int Rows, int Columns, int Stride>
__device__ __forceinline__ void sum_utterances_staged(const float* sums_of_tile, const ProductEpilogue& epilogue, int m, int n, int first_row,
                                                      int first_column) {
  constexpr int AT_ONCE = 8;
  static_assert(Rows % AT_ONCE == 0, "the last rows of a tile");
  int rows = min(Rows, m - first_row), columns = min(Columns, n - first_column), border = rows_to_border(epilogue, first_row, rows);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    float bias = epilogue.biased(0.0f, first_column + i), before = 0.0f, after = 0.0f;
#pragma unroll 1
    for (int row = 0; row < rows; row += AT_ONCE) {
      const float* some = sums_of_tile + row * Stride + i;
      float some_before = 0.0f, some_after = 0.0f;
#pragma unroll
      for (int e = 0; e < AT_ONCE; e++) {
        float value = epilogue.measured(some[e * Stride] + bias, first_column + i);
        some_before += row + e < border ? value : 0.0f;
        some_after += row + e < border ? 0.0f : value;
      }
      before += some_before;
      after += some_after;
    }
    store_utterance_sums(epilogue, first_row / Rows, n, first_column + i, before, after);
  }
}

}  // namespace gemm
