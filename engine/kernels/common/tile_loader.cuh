// How a block brings tiles of an operand of a matrix product from global to shared memory, one after another along k.
#pragma once
#include "common/matrix_view.cuh"
#include "common/tensor_core.cuh"

namespace gemm {

// A tile of `Extent` rows or columns of the product by `BK` of k, brought by `Threads` threads in groups of 4 elements. KMajor: k runs
// along the view's columns, the contiguous axis; else along its rows. Shared memory keeps the order of global memory, rows of the tile
// `Stride` elements apart. Neighbouring threads take neighbouring groups of a row. The view is that of a matrix or of windows of maps.
template <bool KMajor, int Extent, int BK, int Threads, typename View = MatrixView>
class TileLoader {
  using Row = typename View::Row;
  using Column = typename View::Column;
  static constexpr int GROUPS = (KMajor ? BK : Extent) / 4;
  static constexpr int ROWS_AT_ONCE = Threads / GROUPS;
  // Rows along k move on with every tile: only the first is kept, the others are counted from it.
  static constexpr int ROWS_KEPT = KMajor ? Extent / ROWS_AT_ONCE : 1;

 public:
  static constexpr int PASSES = (KMajor ? Extent : BK) / ROWS_AT_ONCE;

  // Starts with the tile at a row and a column of the view.
  __device__ __forceinline__ TileLoader(const View& view, int row, int column)
      : view_(view), by_fours_(view.by_fours()), row_(row + row_of_tile()), column_(view.column(column + column_of_tile())) {
#pragma unroll
    for (int p = 0; p < ROWS_KEPT; p++) rows_[p] = view.row(row_ + p * ROWS_AT_ONCE);
  }

  // To the next tile along k.
  __device__ __forceinline__ void advance() {
    if (KMajor) {
      view_.move_right(column_, BK);
    } else {
      row_ += BK;
      view_.move_down(rows_[0], BK);
    }
  }

  // Queues the copies of the present tile to shared memory.
  template <int Stride>
  __device__ __forceinline__ void copy(float* tile) const {
    float* to = tile + row_of_tile() * Stride + column_of_tile();
    Row row = rows_[0];
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      find_row(p, row);
      if (by_fours_) {
        bool inside = has(p, column_);
        const float* from = view_.locate(row, column_, inside);
        copy_async_16(to + p * ROWS_AT_ONCE * Stride, from, inside);
      } else {
        Column column = column_;
#pragma unroll 1  // The rarer way: unrolled, its addresses would push sums out of the registers.
        for (int e = 0; e < 4; e++) {
          bool inside = has(p, column);
          const float* from = view_.locate(row, column, inside);
          copy_async_4(to + p * ROWS_AT_ONCE * Stride + e, from, inside);
          view_.move_right(column, 1);
        }
      }
    }
  }

  // Loads the present tile to registers, where it waits while the one before is multiplied.
  __device__ __forceinline__ void load(float (&values)[PASSES][4]) const {
    Row row = rows_[0];
    if (by_fours_) {
#pragma unroll
      for (int p = 0; p < PASSES; p++) {
        find_row(p, row);
        bool inside = has(p, column_);
        const float* from = view_.locate(row, column_, inside);
        float4 four = inside ? *reinterpret_cast<const float4*>(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        values[p][0] = four.x;
        values[p][1] = four.y;
        values[p][2] = four.z;
        values[p][3] = four.w;
      }
    } else {
#pragma unroll
      for (int p = 0; p < PASSES; p++) {
        find_row(p, row);
        Column column = column_;
#pragma unroll
        for (int e = 0; e < 4; e++) {
          bool inside = has(p, column);
          const float* from = view_.locate(row, column, inside);
          values[p][e] = inside ? *from : 0.0f;
          view_.move_right(column, 1);
        }
      }
    }
  }

  // Rounds loaded values to bf16 and stores them.
  template <int Stride>
  __device__ __forceinline__ void store_bf16(const float (&values)[PASSES][4], uint16_t* tile) const {
    uint16_t* to = tile + row_of_tile() * Stride + column_of_tile();
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      *reinterpret_cast<uint2*>(to + p * ROWS_AT_ONCE * Stride) =
          make_uint2(pack_bf16(values[p][0], values[p][1]), pack_bf16(values[p][2], values[p][3]));
    }
  }

 private:
  __device__ __forceinline__ static int row_of_tile() { return int(threadIdx.x) / GROUPS; }
  __device__ __forceinline__ static int column_of_tile() { return int(threadIdx.x) % GROUPS * 4; }

  // The row of pass p, given that of the pass before.
  __device__ __forceinline__ void find_row(int p, Row& row) const {
    if (KMajor) {
      row = rows_[p % ROWS_KEPT];
    } else if (p > 0) {
      view_.move_down(row, ROWS_AT_ONCE);
    }
  }

  // Whether the row of pass p and a column lie in the matrix.
  __device__ __forceinline__ bool has(int p, const Column& column) const { return row_ + p * ROWS_AT_ONCE < view_.rows && view_.has(column); }

  const View& view_;
  bool by_fours_;
  int row_;        // Where the thread's first group starts.
  Column column_;
  Row rows_[ROWS_KEPT];
};

}  // namespace gemm
