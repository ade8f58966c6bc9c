// Count, mean and squared deviations of a = activation(v) over the rows of one tile of a matrix product, column by column, while its sums are in
// registers or shared memory: what a batch norm that follows would else read all of v for.
//
// moments [row tiles, 3, n]: pivot, mean less the pivot, squared deviations; the rows of a tile follow from its number. The pivot is the column's
// value in the tile's first row. It keeps the digits of a mean that is large against the deviation, and as it is one of the values, the sum of
// squares about it is at most as many times the squared deviations as there are rows: the difference of the two keeps its leading digits.
// Order: rows of a thread, lanes of a warp, warps: the same bits always. Traffic: 12 bytes a tile and column.
#pragma once
#include "common/product_epilogue.cuh"

namespace gemm {

struct ColumnSums {
  float plain = 0.0f, squares = 0.0f;  // Of the distances from the pivot.

  __device__ __forceinline__ void add(float distance) {
    plain += distance;
    squares = fmaf(distance, distance, squares);
  }

  __device__ __forceinline__ void add(ColumnSums other) {
    plain += other.plain;
    squares += other.squares;
  }

  __device__ __forceinline__ void store(const ProductEpilogue& epilogue, int tile, int n, int column, float pivot, int rows) const {
    float* to = epilogue.moments + int64_t(tile) * 3 * n + column;
    float mean = plain / rows, deviation = squares - plain * mean;
    to[0] = pivot;
    to[n] = mean;
    to[2 * n] = deviation < 0.0f ? 0.0f : deviation;  // Rounding may leave a constant column below 0; a NaN stays one.
  }
};

// Of sums in registers, by all threads of a block of 2 · Tile, with the shared memory of the tiles.
template <int Tile, typename Math>
__device__ __forceinline__ void measure(const Math& math, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
  DYNAMIC_SHARED(float, pivots);
  ColumnSums* partial = reinterpret_cast<ColumnSums*>(pivots + Tile);
  int rows = min(Tile, m - first_row), columns = min(Tile, n - first_column);
  __syncthreads();  // All threads have read their last tiles.
  if (Math::row_of(0) == 0) {
#pragma unroll
    for (int j = 0; j < Math::OWN_COLUMNS; j++) {
      int column = Math::column_of(j);
      if (column < columns) pivots[column] = epilogue.activated(epilogue.biased(math.sum(0, j), first_column + column));
    }
  }
  __syncthreads();
#pragma unroll
  for (int j = 0; j < Math::OWN_COLUMNS; j++) {
    int column = Math::column_of(j);
    ColumnSums sums;
    if (column < columns) {
      float pivot = pivots[column];
#pragma unroll
      for (int i = 0; i < Math::OWN_ROWS; i++) {
        if (Math::row_of(i) < rows) sums.add(epilogue.activated(epilogue.biased(math.sum(i, j), first_column + column)) - pivot);
      }
    }
#pragma unroll
    for (int apart = Math::LANES_APART; apart < WARP; apart *= 2) {
      sums.add({__shfl_xor_sync(FULL_WARP, sums.plain, apart), __shfl_xor_sync(FULL_WARP, sums.squares, apart)});
    }
    if (threadIdx.x % WARP < Math::LANES_APART) partial[Math::row_warp() * Tile + column] = sums;
  }
  __syncthreads();
  int column = threadIdx.x;
  if (column < columns) {
    ColumnSums sums = partial[column];
    for (int warp = 1; warp < Math::ROW_WARPS; warp++) sums.add(partial[warp * Tile + column]);
    sums.store(epilogue, first_row / Tile, n, first_column + column, pivots[column], rows);
  }
}

// Of sums that lie in shared memory row by row, a thread a column.
template <int Rows, int Columns, int Stride>
__device__ __forceinline__ void measure_staged(const float* sums_of_tile, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
  int rows = min(Rows, m - first_row), columns = min(Columns, n - first_column);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    float bias = epilogue.biased(0.0f, first_column + i), pivot = epilogue.activated(sums_of_tile[i] + bias);
    ColumnSums sums;
#pragma unroll 4
    for (int row = 1; row < rows; row++) sums.add(epilogue.activated(sums_of_tile[row * Stride + i] + bias) - pivot);
    sums.store(epilogue, first_row / Rows, n, first_column + i, pivot, rows);
  }
}

}  // namespace gemm
