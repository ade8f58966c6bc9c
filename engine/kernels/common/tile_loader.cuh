// How a block brings tiles of an operand of a matrix product from global to shared memory, one after another along k.
#pragma once
#include "common/matrix_view.cuh"
#include "common/tensor_core.cuh"

namespace gemm {

// A tile of `Extent` rows or columns of the product by `BK` of k, brought by `Threads` threads in groups of 4 elements. KMajor: k runs
// along the view's columns, the contiguous axis; else along its rows. Shared memory keeps the order of global memory, rows of the tile
// `Stride` elements apart. Neighbouring threads take neighbouring groups of a row.
template <bool KMajor, int Extent, int BK, int Threads>
class TileLoader {
  static constexpr int GROUPS = (KMajor ? BK : Extent) / 4;
  static constexpr int ROWS_AT_ONCE = Threads / GROUPS;
  // Rows along k move on with every tile: only the first is kept, the others are counted from it.
  static constexpr int ROWS_KEPT = KMajor ? Extent / ROWS_AT_ONCE : 1;

 public:
  static constexpr int PASSES = (KMajor ? Extent : BK) / ROWS_AT_ONCE;

  // Starts with the tile at a row and a column of the view.
  __device__ __forceinline__ TileLoader(const MatrixView& view, int row, int column) : view_(view), by_fours_(view.by_fours()) {
    row_ = row + row_of_tile();
    column += column_of_tile();
    segment_ = column / view.segment_width;
    column_ = column - segment_ * view.segment_width;
#pragma unroll
    for (int p = 0; p < ROWS_KEPT; p++) {
      outer_[p] = (row_ + p * ROWS_AT_ONCE) / view.inner;
      inner_[p] = row_ + p * ROWS_AT_ONCE - outer_[p] * view.inner;
    }
  }

  // To the next tile along k.
  __device__ __forceinline__ void advance() {
    if (KMajor) {
      column_ += BK;
      while (column_ >= view_.segment_width) {
        column_ -= view_.segment_width;
        segment_++;
      }
    } else {
      row_ += BK;
      move_down(outer_[0], inner_[0], BK);
    }
  }

  // Queues the copies of the present tile to shared memory.
  template <int Stride>
  __device__ __forceinline__ void copy(float* tile) const {
    float* to = tile + row_of_tile() * Stride + column_of_tile();
    int outer = outer_[0], inner = inner_[0];
#pragma unroll
    for (int p = 0; p < PASSES; p++) {
      find_row(p, outer, inner);
      if (by_fours_) {
        bool inside = has(p, segment_);
        const float* from = view_.locate(outer, inner, segment_, column_, inside);
        copy_async_16(to + p * ROWS_AT_ONCE * Stride, from, inside);
      } else {
        int segment = segment_, column = column_;
#pragma unroll 1  // The rarer way: unrolled, its addresses would push sums out of the registers.
        for (int e = 0; e < 4; e++) {
          bool inside = has(p, segment);
          const float* from = view_.locate(outer, inner, segment, column, inside);
          copy_async_4(to + p * ROWS_AT_ONCE * Stride + e, from, inside);
          move_right(segment, column);
        }
      }
    }
  }

  // Loads the present tile to registers, where it waits while the one before is multiplied.
  __device__ __forceinline__ void load(float (&values)[PASSES][4]) const {
    int outer = outer_[0], inner = inner_[0];
    if (by_fours_) {
#pragma unroll
      for (int p = 0; p < PASSES; p++) {
        find_row(p, outer, inner);
        bool inside = has(p, segment_);
        const float* from = view_.locate(outer, inner, segment_, column_, inside);
        float4 four = inside ? *reinterpret_cast<const float4*>(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        values[p][0] = four.x;
        values[p][1] = four.y;
        values[p][2] = four.z;
        values[p][3] = four.w;
      }
    } else {
#pragma unroll
      for (int p = 0; p < PASSES; p++) {
        find_row(p, outer, inner);
        int segment = segment_, column = column_;
#pragma unroll
        for (int e = 0; e < 4; e++) {
          bool inside = has(p, segment);
          const float* from = view_.locate(outer, inner, segment, column, inside);
          values[p][e] = inside ? *from : 0.0f;
          move_right(segment, column);
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
  __device__ __forceinline__ void find_row(int p, int& outer, int& inner) const {
    if (KMajor) {
      outer = outer_[p % ROWS_KEPT];
      inner = inner_[p % ROWS_KEPT];
    } else if (p > 0) {
      move_down(outer, inner, ROWS_AT_ONCE);
    }
  }

  __device__ __forceinline__ void move_down(int& outer, int& inner, int rows) const {
    inner += rows;
    while (inner >= view_.inner) {
      inner -= view_.inner;
      outer++;
    }
  }

  __device__ __forceinline__ void move_right(int& segment, int& column) const {
    column++;
    if (column == view_.segment_width) {
      column = 0;
      segment++;
    }
  }

  // Whether the row of pass p and a segment lie in the matrix.
  __device__ __forceinline__ bool has(int p, int segment) const {
    return row_ + p * ROWS_AT_ONCE < view_.rows && segment < view_.segments;
  }

  const MatrixView& view_;
  bool by_fours_;
  int row_, segment_, column_;  // Where the thread's first group starts; the column is that of the segment.
  int outer_[ROWS_KEPT], inner_[ROWS_KEPT];
};

}  // namespace gemm
