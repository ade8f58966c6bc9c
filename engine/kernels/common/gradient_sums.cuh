// Σ dy and Σ dy · (a − μ) over the rows of one tile of a matrix product, column by column, while its sums are in registers or shared memory. The product
// is dy, the gradient of a batch norm's output, and nothing is added to it; a = activation(x) of the norm's input x, μ its mean: what the norm's
// backward pass would else read all of dy and x for.
//
// gradient_sums [row tiles, 2, n]. x is read from memory, two neighbouring columns at a time where they are aligned. A warp's load takes whole sectors of
// 32 bytes: 8 rows of 8 columns with mma.sync, one row of 64 columns on warpgroups; in plain arithmetic, where a thread owns 4 columns, two loads
// after each other share the sectors of 2 rows of 64 columns.
// Order: rows of a thread, lanes of a warp, warps (on warpgroups rows of a thread, then threads): the same bits always.
// Traffic: 4 bytes an element of the tile, 8 bytes a tile and column.
#pragma once
#include "common/product_epilogue.cuh"

namespace gemm {

// Of some rows of one column.
struct GradientSums {
  float plain, centred;

  __device__ __forceinline__ void add(float gradient, float away) {
    plain += gradient;
    centred = fmaf(gradient, away, centred);
  }

  __device__ __forceinline__ void add(const GradientSums& other) {
    plain += other.plain;
    centred += other.centred;
  }

  // Those of a lane whose number differs in one bit.
  __device__ __forceinline__ void add_lane(int apart) {
    plain += __shfl_xor_sync(FULL_WARP, plain, apart);
    centred += __shfl_xor_sync(FULL_WARP, centred, apart);
  }

  __device__ __forceinline__ void store(const ProductEpilogue& epilogue, int tile, int n, int column) const {
    float* to = epilogue.gradient_sums + int64_t(tile) * 2 * n + column;
    to[0] = plain;
    to[n] = centred;
  }
};

// a − μ of two neighbouring columns, the first of which is even and one of the n, from a row on.
class NormInput {
 public:
  __device__ __forceinline__ NormInput(const ProductEpilogue& epilogue, int n, int first_row, int column)
      : epilogue_(epilogue), from_(epilogue.norm_input + int64_t(first_row) * epilogue.norm_stride + column), has_second_(column + 1 < n),
        by_twos_(column + 1 < n && reinterpret_cast<uint64_t>(epilogue.norm_input) % 8 == 0 && epilogue.norm_stride % 2 == 0),
        mean_(make_float2(__ldg(epilogue.mean + column), column + 1 < n ? __ldg(epilogue.mean + column + 1) : 0.0f)) {}

  __device__ __forceinline__ float2 away(int row) const {
    const float* at = from_ + int64_t(row) * epilogue_.norm_stride;
    float2 x = by_twos_ ? *reinterpret_cast<const float2*>(at) : make_float2(at[0], has_second_ ? at[1] : 0.0f);
    return make_float2(epilogue_.activated(x.x) - mean_.x, epilogue_.activated(x.y) - mean_.y);
  }

 private:
  const ProductEpilogue& epilogue_;
  const float* from_;
  bool has_second_, by_twos_;
  float2 mean_;
};

// Of sums in registers, by all threads of a block of 2 · Tile, with the shared memory of the tiles. B is read across k, so that neighbouring columns of a
// thread are neighbours.
template <int Tile, typename Math>
__device__ __forceinline__ void sum_gradient(const Math& math, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
  static_assert(Tile * Math::ROW_WARPS * sizeof(GradientSums) <= Math::STAGES * Math::STAGE_BYTES, "more than the tiles take");
  static_assert(Math::OWN_COLUMNS % 2 == 0, "columns come by twos");
  DYNAMIC_SHARED(GradientSums, partial);
  int rows = min(Tile, m - first_row), columns = min(Tile, n - first_column);
  __syncthreads();  // All threads have read their last tiles.
#pragma unroll
  for (int j = 0; j < Math::OWN_COLUMNS; j += 2) {
    int column = Math::column_of(j);
    GradientSums first = {0.0f, 0.0f}, second = {0.0f, 0.0f};
    if (column < columns) {
      NormInput input(epilogue, n, first_row, first_column + column);
#pragma unroll
      for (int i = 0; i < Math::OWN_ROWS; i++) {
        int row = Math::row_of(i);
        if (row >= rows) continue;
        float2 away = input.away(row);
        first.add(math.sum(i, j), away.x);
        second.add(math.sum(i, j + 1), away.y);
      }
    }
#pragma unroll
    for (int apart = Math::LANES_APART; apart < WARP; apart *= 2) {
      first.add_lane(apart);
      second.add_lane(apart);
    }
    if (threadIdx.x % WARP < Math::LANES_APART) {
      partial[Math::row_warp() * Tile + column] = first;
      partial[Math::row_warp() * Tile + column + 1] = second;
    }
  }
  __syncthreads();
  int column = threadIdx.x;
  if (column < columns) {
    GradientSums sums = partial[column];
    for (int warp = 1; warp < Math::ROW_WARPS; warp++) sums.add(partial[warp * Tile + column]);
    sums.store(epilogue, first_row / Tile, n, first_column + column);
  }
}

// Of sums that lie in shared memory row by row, by all threads of a block, of which the first `Threads` read: two columns of every so manyth row each, and
// many rows at a time, for there is nothing else to hide what memory takes. The place of the sums is then taken.
template <int Rows, int Columns, int Stride, int Threads>
__device__ __forceinline__ void sum_gradient_staged(float* sums_of_tile, const ProductEpilogue& epilogue, int m, int n, int first_row, int first_column) {
  constexpr int PAIRS = Columns / 2, APART = Threads / PAIRS, AT_ONCE = 8;
  static_assert(Rows % (APART * AT_ONCE) == 0 && Stride % 2 == 0, "threads read whole runs of pairs");
  GradientSums* partial = reinterpret_cast<GradientSums*>(sums_of_tile);
  int rows = min(Rows, m - first_row), columns = min(Columns, n - first_column);
  int column = threadIdx.x % PAIRS * 2, from = threadIdx.x / PAIRS;
  GradientSums first = {0.0f, 0.0f}, second = {0.0f, 0.0f};
  if (from < APART && column < columns) {
    NormInput input(epilogue, n, first_row, first_column + column);
#pragma unroll 1
    for (int start = from; start < rows; start += APART * AT_ONCE) {
      float2 away[AT_ONCE];
#pragma unroll
      for (int e = 0; e < AT_ONCE; e++) {
        int row = start + e * APART;
        away[e] = row < rows ? input.away(row) : make_float2(0.0f, 0.0f);
      }
#pragma unroll
      for (int e = 0; e < AT_ONCE; e++) {
        int row = start + e * APART;
        if (row >= rows) continue;
        float2 gradient = *reinterpret_cast<const float2*>(sums_of_tile + row * Stride + column);
        first.add(gradient.x, away[e].x);
        second.add(gradient.y, away[e].y);
      }
    }
  }
  __syncthreads();  // All threads have read the sums.
  if (from < APART) {
    partial[from * Columns + column] = first;
    partial[from * Columns + column + 1] = second;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    GradientSums sums = partial[i];
    for (int thread = 1; thread < APART; thread++) sums.add(partial[thread * Columns + i]);
    sums.store(epilogue, first_row / Rows, n, first_column + i);
  }
}

}  // namespace gemm
