// Count, mean and squared deviations of a = activation(v) over the rows of one tile of a matrix product, column by column, while its sums are in
// registers or shared memory: what a batch norm that follows would else read all of v for.
//
// moments [row tiles, 3, n]: pivot, mean less the pivot, squared deviations; the rows of a tile follow from its number. The pivot is the column's
// value in the tile's first row: it keeps the digits of a mean that is large against the deviation. A few values at a time have their mean taken
// first and then their deviations, and such moments are merged (Chan et al., "Updating formulae and a pairwise algorithm for computing sample
// variances", 1979): nothing cancels.
// Order: rows of a thread, lanes of a warp, warps: the same bits always. Traffic: 12 bytes a tile and column.
#pragma once
#include "common/utterance_sums.cuh"

namespace gemm {

// Of some values' distances from the pivot.
struct ColumnMoments {
  float count = 0.0f, mean = 0.0f, deviation = 0.0f;

  // Of the first `count` of Most values.
  template <int Most, typename Value>
  __device__ __forceinline__ static ColumnMoments of(int count, Value value) {
    float values[Most], sum = 0.0f;
#pragma unroll
    for (int i = 0; i < Most; i++) {
      values[i] = i < count ? value(i) : 0.0f;
      sum += values[i];
    }
    ColumnMoments moments;
    if (count <= 0) return moments;
    moments.count = float(min(count, Most));
    moments.mean = sum / moments.count;
#pragma unroll
    for (int i = 0; i < Most; i++) {
      float away = i < count ? values[i] - moments.mean : 0.0f;
      moments.deviation = fmaf(away, away, moments.deviation);
    }
    return moments;
  }

  __device__ __forceinline__ void add(const ColumnMoments& other) {
    if (other.count == 0.0f) return;
    float away = other.mean - mean, share = other.count / (count + other.count);
    deviation += fmaf(away * away, count * share, other.deviation);
    mean = fmaf(away, share, mean);
    count += other.count;
  }

  // Those of a lane whose number differs in one bit; lower lanes come first.
  __device__ __forceinline__ ColumnMoments with_lane(int apart) const {
    ColumnMoments other;
    other.count = __shfl_xor_sync(FULL_WARP, count, apart);
    other.mean = __shfl_xor_sync(FULL_WARP, mean, apart);
    other.deviation = __shfl_xor_sync(FULL_WARP, deviation, apart);
    ColumnMoments both = *this;
    both.add(other);
    return both;
  }

  __device__ __forceinline__ void store(const ProductEpilogue& epilogue, int tile, int n, int column, float pivot) const {
    float* to = epilogue.moments + int64_t(tile) * 3 * n + column;
    to[0] = pivot;
    to[n] = mean;
    to[2 * n] = deviation;
  }
};

// Of sums in registers, by all threads of a block of 2 · Tile, with the shared memory of the tiles.
template <int Tile, typename Math>
__device__ __forceinline__ void measure(const Math& math, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
  static_assert(Tile * (sizeof(float) + Math::ROW_WARPS * sizeof(ColumnMoments)) <= Math::STAGES * Math::STAGE_BYTES, "more than the tiles take");
  DYNAMIC_SHARED(float, pivots);
  ColumnMoments* partial = reinterpret_cast<ColumnMoments*>(pivots + Tile);
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
  int own_rows = divide_up(rows - Math::row_of(0), Math::ROWS_APART);
#pragma unroll
  for (int j = 0; j < Math::OWN_COLUMNS; j++) {
    int column = Math::column_of(j);
    float bias = 0.0f, pivot = 0.0f;
    if (column < columns) {
      bias = epilogue.biased(0.0f, first_column + column);
      pivot = pivots[column];
    }
    ColumnMoments moments =
        ColumnMoments::of<Math::OWN_ROWS>(own_rows, [&](int i) { return epilogue.activated(math.sum(i, j) + bias) - pivot; });
#pragma unroll
    for (int apart = Math::LANES_APART; apart < WARP; apart *= 2) moments = moments.with_lane(apart);
    if (threadIdx.x % WARP < Math::LANES_APART) partial[Math::row_warp() * Tile + column] = moments;
  }
  __syncthreads();
  int column = threadIdx.x;
  if (column < columns) {
    ColumnMoments moments = partial[column];
    for (int warp = 1; warp < Math::ROW_WARPS; warp++) moments.add(partial[warp * Tile + column]);
    moments.store(epilogue, first_row / Tile, n, first_column + column, pivots[column]);
  }
}

// Of sums that lie in shared memory row by row, a thread a column. The sums of utterances, if wanted, come with the moments of either side of the border.
template <int Rows, int Columns, int Stride>
__device__ __forceinline__ void measure_staged(const float* sums_of_tile, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
  constexpr int AT_ONCE = 8;
  int rows = min(Rows, m - first_row), columns = min(Columns, n - first_column);
  int border = epilogue.utterance_sums == nullptr ? rows : rows_to_border(epilogue, first_row, rows);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    float bias = epilogue.biased(0.0f, first_column + i), pivot = epilogue.activated(sums_of_tile[i] + bias);
    ColumnMoments moments, before;
#pragma unroll 1
    for (int row = 0, end = border; row < rows; row = min(row + AT_ONCE, end)) {
      if (row == border) {
        before = moments;
        moments = ColumnMoments();
        end = rows;
      }
      const float* some = sums_of_tile + row * Stride + i;
      moments.add(ColumnMoments::of<AT_ONCE>(end - row, [&](int e) { return epilogue.activated(some[e * Stride] + bias) - pivot; }));
    }
    if (epilogue.utterance_sums != nullptr) {
      float last = moments.count * moments.mean;
      bool has_border = border < rows;
      store_utterance_sums(epilogue, first_row / Rows, n, first_column + i, has_border ? before.count * before.mean : last, has_border ? last : 0.0f);
    }
    before.add(moments);
    before.store(epilogue, first_row / Rows, n, first_column + i, pivot);
  }
}

}  // namespace gemm
