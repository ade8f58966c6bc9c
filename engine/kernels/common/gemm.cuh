// C (+)= A · B + bias over matrix views, one tile of 128 × 64 a block of 256 threads, 32 of k at a time.
//
// Operands go from global memory through registers (the next tile is under way while this one is multiplied) to two alternating tiles in
// shared memory, as units along k: one f32 or tf32 number, or two bf16 numbers. An operand whose rows run along k is kept [m][unit],
// a transposed one [unit][m]; the padding of both makes the reads of fragments free of bank conflicts.
//
// Arithmetic: FP32 plain multiply-adds of one thread for 8 × 4 elements; TF32 and BF16 mma.sync with operands rounded to nearest, f32 sums;
// each of the 8 warps owns 32 × 32 of the tile.
// Long sums of few tiles are split along k over blockIdx.z; gemm_add_splits then adds the parts in order: no atomics, the same bits always.
#pragma once
#include "common/matrix_view.cuh"
#include "common/tensor_core.cuh"

namespace gemm {

enum Arithmetic { FP32, TF32, BF16 };

constexpr int THREADS = 256;
constexpr int TILE_M = 128, TILE_N = 64, TILE_K = 32;
constexpr int STAGE_WORDS_A = TILE_M * (TILE_K + 4), STAGE_WORDS_B = TILE_N * (TILE_K + 4);  // Enough for every layout below.
constexpr int SHARED_BYTES = 2 * 4 * (STAGE_WORDS_A + STAGE_WORDS_B);

// Where unit u of row m lies in shared memory.
template <Arithmetic ARITHMETIC, bool TRANSPOSED, int EXTENT>
struct Layout {
  static constexpr int UNITS = ARITHMETIC == BF16 ? TILE_K / 2 : TILE_K;
  static constexpr int M_STEP = TRANSPOSED ? 1 : UNITS + 4;
  static constexpr int UNIT_STEP = TRANSPOSED ? EXTENT + 8 : 1;
  __device__ static __forceinline__ int at(int m, int unit) { return m * M_STEP + unit * UNIT_STEP; }
};

template <Arithmetic ARITHMETIC>
__device__ __forceinline__ uint32_t unit_of(float value) {
  return ARITHMETIC == TF32 ? round_to_tf32(value) : __float_as_uint(value);
}

__device__ __forceinline__ uint32_t pair_of(float low, float high) { return pack_bf16(low, high); }

// Brings EXTENT rows × TILE_K of an operand into shared memory; each thread moves COUNT groups of four numbers.
template <Arithmetic ARITHMETIC, bool TRANSPOSED, int EXTENT>
class Loader;

// Rows along k: a group is four numbers of one row.
template <Arithmetic ARITHMETIC, int EXTENT>
class Loader<ARITHMETIC, false, EXTENT> {
  static constexpr int GROUPS_OF_ROW = TILE_K / 4, ROWS_AT_ONCE = THREADS / GROUPS_OF_ROW, COUNT = EXTENT / ROWS_AT_ONCE;
  using Tile = Layout<ARITHMETIC, false, EXTENT>;

 public:
  __device__ __forceinline__ Loader(const MatrixView& view, int first_row) : view_(view), fours_(view.by_fours()) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      int row = first_row + int(threadIdx.x) / GROUPS_OF_ROW + i * ROWS_AT_ONCE;
      int outer = row / view.inner;
      inner_[i] = row < view.rows ? row - outer * view.inner : -1;
      base_[i] = outer * view.outer_stride;
    }
  }

  __device__ __forceinline__ void load(int k, int k_end) {
    int column = k + int(threadIdx.x) % GROUPS_OF_ROW * 4;
    if (fours_) {
      int segment = column / view_.segment_width, within = column - segment * view_.segment_width;
#pragma unroll
      for (int i = 0; i < COUNT; i++) {
        values_[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (inner_[i] < 0 || column >= k_end) continue;
        int64_t row = view_.row_offset(inner_[i] + segment * view_.step + view_.shift);
        if (row >= 0) values_[i] = *reinterpret_cast<const float4*>(view_.data + base_[i] + row + within);
      }
    } else {
#pragma unroll
      for (int i = 0; i < COUNT; i++) {
        values_[i] = make_float4(one(i, column, k_end), one(i, column + 1, k_end), one(i, column + 2, k_end), one(i, column + 3, k_end));
      }
    }
  }

  __device__ __forceinline__ void store(uint32_t* tile) const {
    int group = int(threadIdx.x) % GROUPS_OF_ROW;
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      int m = int(threadIdx.x) / GROUPS_OF_ROW + i * ROWS_AT_ONCE;
      float4 v = values_[i];
      if (ARITHMETIC == BF16) {
        *reinterpret_cast<uint2*>(tile + Tile::at(m, 2 * group)) = make_uint2(pair_of(v.x, v.y), pair_of(v.z, v.w));
      } else {
        *reinterpret_cast<uint4*>(tile + Tile::at(m, 4 * group)) =
            make_uint4(unit_of<ARITHMETIC>(v.x), unit_of<ARITHMETIC>(v.y), unit_of<ARITHMETIC>(v.z), unit_of<ARITHMETIC>(v.w));
      }
    }
  }

 private:
  __device__ __forceinline__ float one(int i, int column, int k_end) const {
    if (inner_[i] < 0 || column >= k_end) return 0.0f;
    int segment = column / view_.segment_width;
    int64_t row = view_.row_offset(inner_[i] + segment * view_.step + view_.shift);
    return row < 0 ? 0.0f : view_.data[base_[i] + row + column - segment * view_.segment_width];
  }

  const MatrixView& view_;
  bool fours_;
  int inner_[COUNT];
  int64_t base_[COUNT];
  float4 values_[COUNT];
};

// Rows across k: a group is four neighbouring m of one k; groups 2j and 2j + 1 of a thread are neighbours along k.
template <Arithmetic ARITHMETIC, int EXTENT>
class Loader<ARITHMETIC, true, EXTENT> {
  static constexpr int GROUPS_OF_ROW = EXTENT / 4, PAIRS_AT_ONCE = THREADS / GROUPS_OF_ROW, COUNT = TILE_K / PAIRS_AT_ONCE;
  using Tile = Layout<ARITHMETIC, true, EXTENT>;

 public:
  __device__ __forceinline__ Loader(const MatrixView& view, int first_row) : view_(view), fours_(view.by_fours()) {
    column_ = first_row + int(threadIdx.x) % GROUPS_OF_ROW * 4;
    segment_ = column_ / view.segment_width;
  }

  __device__ __forceinline__ void load(int k, int k_end) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      int row = k + k_of(i);
      values_[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      if (row >= k_end) continue;
      int outer = row / view_.inner, inner = row - outer * view_.inner;
      if (fours_) {
        if (column_ >= view_.columns()) continue;
        int64_t offset = view_.row_offset(inner + segment_ * view_.step + view_.shift);
        if (offset < 0) continue;
        values_[i] = *reinterpret_cast<const float4*>(view_.data + outer * view_.outer_stride + offset + column_ - segment_ * view_.segment_width);
      } else {
        values_[i] = make_float4(one(outer, inner, column_), one(outer, inner, column_ + 1), one(outer, inner, column_ + 2), one(outer, inner, column_ + 3));
      }
    }
  }

  __device__ __forceinline__ void store(uint32_t* tile) const {
    int m = int(threadIdx.x) % GROUPS_OF_ROW * 4;
    if (ARITHMETIC == BF16) {
#pragma unroll
      for (int i = 0; i < COUNT; i += 2) {
        float4 low = values_[i], high = values_[i + 1];
        *reinterpret_cast<uint4*>(tile + Tile::at(m, k_of(i) / 2)) =
            make_uint4(pair_of(low.x, high.x), pair_of(low.y, high.y), pair_of(low.z, high.z), pair_of(low.w, high.w));
      }
    } else {
#pragma unroll
      for (int i = 0; i < COUNT; i++) {
        float4 v = values_[i];
        *reinterpret_cast<uint4*>(tile + Tile::at(m, k_of(i))) =
            make_uint4(unit_of<ARITHMETIC>(v.x), unit_of<ARITHMETIC>(v.y), unit_of<ARITHMETIC>(v.z), unit_of<ARITHMETIC>(v.w));
      }
    }
  }

 private:
  __device__ static __forceinline__ int k_of(int i) { return 2 * (int(threadIdx.x) / GROUPS_OF_ROW + i / 2 * PAIRS_AT_ONCE) + i % 2; }

  __device__ __forceinline__ float one(int outer, int inner, int column) const {
    if (column >= view_.columns()) return 0.0f;
    int segment = column / view_.segment_width;
    int64_t offset = view_.row_offset(inner + segment * view_.step + view_.shift);
    return offset < 0 ? 0.0f : view_.data[outer * view_.outer_stride + offset + column - segment * view_.segment_width];
  }

  const MatrixView& view_;
  bool fours_;
  int column_, segment_;
  float4 values_[COUNT];
};

// The part of the tile that one thread sums, for tensor cores: 2 × 4 fragments of 16 × 8 in the 32 × 32 of its warp.
template <Arithmetic ARITHMETIC, bool TRANSPOSED_A, bool TRANSPOSED_B>
class Sums {
  using TileA = Layout<ARITHMETIC, TRANSPOSED_A, TILE_M>;
  using TileB = Layout<ARITHMETIC, TRANSPOSED_B, TILE_N>;
  static constexpr int ROWS = 2, COLUMNS = 4;

 public:
  __device__ __forceinline__ Sums() {
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    row_ = warp % 4 * 32 + lane / 4;
    column_ = warp / 4 * 32;
    group_ = lane / 4;
    within_ = lane % 4;
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
      for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) d_[i][j][e] = 0.0f;
  }

  __device__ __forceinline__ void multiply(const uint32_t* a_tile, const uint32_t* b_tile) {
#pragma unroll
    for (int unit = 0; unit < TileA::UNITS; unit += 8) {
      uint32_t a[ROWS][4], b[COLUMNS][2];
#pragma unroll
      for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int e = 0; e < 4; e++) a[i][e] = a_tile[TileA::at(row_ + 16 * i + e % 2 * 8, unit + within_ + e / 2 * 4)];
#pragma unroll
      for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int e = 0; e < 2; e++) b[j][e] = b_tile[TileB::at(column_ + 8 * j + group_, unit + within_ + 4 * e)];
#pragma unroll
      for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
          if (ARITHMETIC == BF16)
            mma_bf16_16816(d_[i][j], a[i], b[j]);
          else
            mma_tf32_1688(d_[i][j], a[i], b[j]);
        }
    }
  }

  template <typename Visit>
  __device__ __forceinline__ void for_each(Visit visit) const {
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
      for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) visit(row_ + 16 * i + e / 2 * 8, column_ + 8 * j + 2 * within_ + e % 2, d_[i][j][e]);
  }

 private:
  int row_, column_, group_, within_;
  float d_[ROWS][COLUMNS][4];
};

// Plain f32: 8 × 4 elements a thread, interleaved so that a warp's reads spread over the banks.
template <bool TRANSPOSED_A, bool TRANSPOSED_B>
class Sums<FP32, TRANSPOSED_A, TRANSPOSED_B> {
  using TileA = Layout<FP32, TRANSPOSED_A, TILE_M>;
  using TileB = Layout<FP32, TRANSPOSED_B, TILE_N>;
  static constexpr int ROWS = 8, COLUMNS = 4, SIDE = 16;

 public:
  __device__ __forceinline__ Sums() : row_(int(threadIdx.x) / SIDE), column_(int(threadIdx.x) % SIDE) {
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
      for (int j = 0; j < COLUMNS; j++) d_[i][j] = 0.0f;
  }

  __device__ __forceinline__ void multiply(const uint32_t* a_tile, const uint32_t* b_tile) {
#pragma unroll 4
    for (int k = 0; k < TILE_K; k++) {
      float a[ROWS], b[COLUMNS];
#pragma unroll
      for (int i = 0; i < ROWS; i++) a[i] = __uint_as_float(a_tile[TileA::at(row_ + SIDE * i, k)]);
#pragma unroll
      for (int j = 0; j < COLUMNS; j++) b[j] = __uint_as_float(b_tile[TileB::at(column_ + SIDE * j, k)]);
#pragma unroll
      for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) d_[i][j] = fmaf(a[i], b[j], d_[i][j]);
    }
  }

  template <typename Visit>
  __device__ __forceinline__ void for_each(Visit visit) const {
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
      for (int j = 0; j < COLUMNS; j++) visit(row_ + SIDE * i, column_ + SIDE * j, d_[i][j]);
  }

 private:
  int row_, column_;
  float d_[ROWS][COLUMNS];
};

// One block. TRANSPOSED_A: the rows of a's view run across k; TRANSPOSED_B: those of b's view do (b's view is of B itself then).
// splits > 1: block z sums k_each of k into its own part of c, [splits, m, n] without gaps.
template <Arithmetic ARITHMETIC, bool TRANSPOSED_A, bool TRANSPOSED_B>
__device__ __forceinline__ void multiply(
    const MatrixView& a, const MatrixView& b, float* c, int c_stride, int m, int n, int k, const float* bias, int accumulate, int k_each) {
  DYNAMIC_SHARED(uint32_t, shared);
  uint32_t* shared_b = shared + 2 * STAGE_WORDS_A;
  int first_row = blockIdx.x * TILE_M, first_column = blockIdx.y * TILE_N;
  int k_start = blockIdx.z * k_each, k_end = min(k, k_start + k_each);
  Loader<ARITHMETIC, TRANSPOSED_A, TILE_M> load_a(a, first_row);
  Loader<ARITHMETIC, TRANSPOSED_B, TILE_N> load_b(b, first_column);
  Sums<ARITHMETIC, TRANSPOSED_A, TRANSPOSED_B> sums;

  load_a.load(k_start, k_end);
  load_b.load(k_start, k_end);
  load_a.store(shared);
  load_b.store(shared_b);
  __syncthreads();
  int stage = 0;
  for (int at = k_start; at < k_end; at += TILE_K) {
    bool more = at + TILE_K < k_end;
    if (more) {
      load_a.load(at + TILE_K, k_end);
      load_b.load(at + TILE_K, k_end);
    }
    sums.multiply(shared + stage * STAGE_WORDS_A, shared_b + stage * STAGE_WORDS_B);
    stage ^= 1;
    if (more) {
      load_a.store(shared + stage * STAGE_WORDS_A);
      load_b.store(shared_b + stage * STAGE_WORDS_B);
    }
    __syncthreads();
  }

  bool split = gridDim.z > 1;
  float* target = split ? c + int64_t(blockIdx.z) * m * n : c;
  int64_t stride = split ? n : c_stride;
  sums.for_each([&](int row, int column, float sum) {
    row += first_row;
    column += first_column;
    if (row >= m || column >= n) return;
    float* element = target + row * stride + column;
    if (split) {
      *element = sum;
    } else {
      if (bias != nullptr) sum += bias[column];
      *element = accumulate != 0 ? *element + sum : sum;
    }
  });
}

}  // namespace gemm
