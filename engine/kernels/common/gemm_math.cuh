// The inner part of a matrix product: what a block of 2 · Tile threads does with Tile × BK of A and BK × Tile of B in shared memory, in
// three arithmetics. All have the same interface: the layout in shared memory and how many stages of it there are, `multiply`, and `for_each`, which
// hands the finished sums to a sink by row and column of the tile, one by one or as two neighbouring columns. For the sums over a tile's rows that epilogues
// leave (common/product_epilogue.cuh) they tell which sums a thread owns: `sum`, `row_of`, `column_of`, OWN_ROWS, OWN_COLUMNS, ROWS_APART, and who shares
// its columns: LANES_APART, ROW_WARPS, `row_warp`.
//
// Work of `multiply`: 2 · Tile² · BK operations. Reads of shared memory: 2 · Tile · BK elements, those of A by Tile / 32 warps and those of
// B by 2 with tensor cores; else those of A by 16 threads and those of B by Tile / 8.
#pragma once
#include "common/tensor_core.cuh"

namespace gemm {

// Tiles in shared memory. KMajor: rows of `BK` elements along k, else rows of `Tile` across it; the gap between rows spreads the reads
// over the banks.
template <typename Element, bool KMajorA, bool KMajorB, int Tile>
struct SharedTiles {
  static constexpr int BK = 16, THREADS = 2 * Tile;
  static constexpr int STRIDE_K = BK + 16 / sizeof(Element), STRIDE_TILE = Tile + 8;
  static constexpr int STRIDE_A = KMajorA ? STRIDE_K : STRIDE_TILE, STRIDE_B = KMajorB ? STRIDE_K : STRIDE_TILE;
  static constexpr int SIZE_A = (KMajorA ? Tile : BK) * STRIDE_A, SIZE_B = (KMajorB ? Tile : BK) * STRIDE_B;
  static constexpr int STAGE_BYTES = (SIZE_A + SIZE_B) * sizeof(Element);
};

// Plain f32: every thread owns 8 rows by TN columns. Four steps of k at a time, so that all shared reads are 16 bytes: along k where that
// is contiguous (rows dealt out one by one), else across it (rows dealt out by fours).
template <bool KMajorA, bool KMajorB, int Tile>
struct Fp32 : SharedTiles<float, KMajorA, KMajorB, Tile> {
  using Shared = SharedTiles<float, KMajorA, KMajorB, Tile>;
  static constexpr bool ROUNDED = false;
  static constexpr int STAGES = 3;
  static constexpr int ACROSS = 16, DOWN = Shared::THREADS / ACROSS;
  static constexpr int TM = Tile / DOWN, TN = Tile / ACROSS;

  // What a thread owns, how far apart its rows are (where k is along those of A) and the lanes that share its columns, and which of how many warps
  // that do it is in.
  static constexpr int OWN_ROWS = TM, OWN_COLUMNS = TN, ROWS_APART = DOWN, LANES_APART = ACROSS, ROW_WARPS = Shared::THREADS / WARP;

  float sums[TM][TN];

  __device__ __forceinline__ float sum(int i, int j) const { return sums[i][j]; }
  __device__ __forceinline__ static int row_warp() { return threadIdx.x / WARP; }

  __device__ __forceinline__ static int row_of(int i) {
    int down = threadIdx.x / ACROSS;
    return KMajorA ? i * DOWN + down : i / 4 * 4 * DOWN + 4 * down + i % 4;
  }

  __device__ __forceinline__ static int column_of(int j) {
    int across = threadIdx.x % ACROSS;
    return KMajorB ? j * ACROSS + across : j / 4 * 4 * ACROSS + 4 * across + j % 4;
  }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < TM; i++) {
#pragma unroll
      for (int j = 0; j < TN; j++) sums[i][j] = 0.0f;
    }
  }

  __device__ __forceinline__ void multiply(const float* a, const float* b) {
#pragma unroll 1
    for (int k = 0; k < Shared::BK; k += 4) {
      float of_a[TM][4];
      if (KMajorA) {
#pragma unroll
        for (int i = 0; i < TM; i++) load_four(a + row_of(i) * Shared::STRIDE_A + k, of_a[i][0], of_a[i][1], of_a[i][2], of_a[i][3]);
      } else {
#pragma unroll
        for (int i = 0; i < TM; i += 4) {
#pragma unroll
          for (int q = 0; q < 4; q++) {
            load_four(a + (k + q) * Shared::STRIDE_A + row_of(i), of_a[i][q], of_a[i + 1][q], of_a[i + 2][q], of_a[i + 3][q]);
          }
        }
      }
      if (KMajorB) {
#pragma unroll
        for (int j = 0; j < TN; j++) {
          float of_b[4];
          load_four(b + column_of(j) * Shared::STRIDE_B + k, of_b[0], of_b[1], of_b[2], of_b[3]);
#pragma unroll
          for (int q = 0; q < 4; q++) {
#pragma unroll
            for (int i = 0; i < TM; i++) sums[i][j] = fmaf(of_a[i][q], of_b[q], sums[i][j]);
          }
        }
      } else {
#pragma unroll
        for (int q = 0; q < 4; q++) {
#pragma unroll
          for (int j = 0; j < TN; j += 4) {
            float of_b[4];
            load_four(b + (k + q) * Shared::STRIDE_B + column_of(j), of_b[0], of_b[1], of_b[2], of_b[3]);
#pragma unroll
            for (int e = 0; e < 4; e++) {
#pragma unroll
              for (int i = 0; i < TM; i++) sums[i][j + e] = fmaf(of_a[i][q], of_b[e], sums[i][j + e]);
            }
          }
        }
      }
    }
  }

  // One by one: a thread's columns are neighbours only where B is read across k.
  template <typename Sink>
  __device__ __forceinline__ void for_each(const Sink& sink) const {
#pragma unroll
    for (int i = 0; i < TM; i++) {
#pragma unroll
      for (int j = 0; j < TN; j++) sink.one(row_of(i), column_of(j), sums[i][j]);
    }
  }

 private:
  __device__ __forceinline__ static void load_four(const float* from, float& x, float& y, float& z, float& w) {
    float4 four = *reinterpret_cast<const float4*>(from);
    x = four.x;
    y = four.y;
    z = four.z;
    w = four.w;
  }
};

// Where the tensor-core kinds agree: a warp sums Tile / 2 × 32, in fragments of 16 × 8. Two warps share 32 columns: a block of more or fewer than
// 2 · Tile threads sums as many more or fewer columns. A may lie in a larger array, whose rows are stride_a elements apart.
template <int Tile>
struct WarpSums {
  static constexpr int WARP_ROWS = Tile / 2, TILES_M = WARP_ROWS / 16, TILES_N = 4;

  // As of Fp32.
  static constexpr int OWN_ROWS = 2 * TILES_M, OWN_COLUMNS = 2 * TILES_N, ROWS_APART = 8, LANES_APART = 4, ROW_WARPS = 2;

  float sums[TILES_M][TILES_N][4];

  __device__ __forceinline__ float sum(int i, int j) const { return sums[i / 2][j / 2][i % 2 * 2 + j % 2]; }
  __device__ __forceinline__ static int row_of(int i) { return warp_row() + 8 * i + threadIdx.x % WARP / 4; }
  __device__ __forceinline__ static int column_of(int j) { return warp_column() + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2; }
  __device__ __forceinline__ static int row_warp() { return threadIdx.x / WARP % 2; }

  __device__ __forceinline__ static int warp_row() { return threadIdx.x / WARP % 2 * WARP_ROWS; }
  __device__ __forceinline__ static int warp_column() { return threadIdx.x / WARP / 2 * 32; }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < TILES_M; i++) {
#pragma unroll
      for (int j = 0; j < TILES_N; j++) {
#pragma unroll
        for (int e = 0; e < 4; e++) sums[i][j][e] = 0.0f;
      }
    }
  }

  template <typename Sink>
  __device__ __forceinline__ void for_each(const Sink& sink) const {
    int lane = threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < TILES_M; i++) {
#pragma unroll
      for (int j = 0; j < TILES_N; j++) {
        int row = warp_row() + 16 * i + lane / 4, column = warp_column() + 8 * j + 2 * (lane % 4);
        sink.two(row, column, sums[i][j][0], sums[i][j][1]);
        sink.two(row + 8, column, sums[i][j][2], sums[i][j][3]);
      }
    }
  }
};

// f32 in shared memory, rounded to tf32 as fragments are read. Strides: 20 g + t and 8 t + g touch 32 different banks.
template <bool KMajorA, bool KMajorB, int Tile>
struct Tf32 : SharedTiles<float, KMajorA, KMajorB, Tile>, WarpSums<Tile> {
  using Shared = SharedTiles<float, KMajorA, KMajorB, Tile>;
  using Sums = WarpSums<Tile>;
  static constexpr bool ROUNDED = false;
  static constexpr int STAGES = 3;

  __device__ __forceinline__ void multiply(const float* a, const float* b, int stride_a = Shared::STRIDE_A) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int k = 0; k < Shared::BK; k += 8) {
      uint32_t of_b[Sums::TILES_N][2];
#pragma unroll
      for (int j = 0; j < Sums::TILES_N; j++) {
        int n = Sums::warp_column() + 8 * j + g;
        of_b[j][0] = round_to_tf32(KMajorB ? b[n * Shared::STRIDE_B + k + t] : b[(k + t) * Shared::STRIDE_B + n]);
        of_b[j][1] = round_to_tf32(KMajorB ? b[n * Shared::STRIDE_B + k + t + 4] : b[(k + t + 4) * Shared::STRIDE_B + n]);
      }
#pragma unroll
      for (int i = 0; i < Sums::TILES_M; i++) {
        uint32_t of_a[4];
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int m = Sums::warp_row() + 16 * i + g + 8 * (e % 2), d = k + t + 4 * (e / 2);
          of_a[e] = round_to_tf32(KMajorA ? a[m * stride_a + d] : a[d * stride_a + m]);
        }
#pragma unroll
        for (int j = 0; j < Sums::TILES_N; j++) mma_tf32_1688(Sums::sums[i][j], of_a, of_b[j]);
      }
    }
  }
};

// bf16 in shared memory. Rows of 48, 144 or 272 bytes: the 8 rows of an ldmatrix touch 32 different banks.
template <bool KMajorA, bool KMajorB, int Tile>
struct Bf16 : SharedTiles<uint16_t, KMajorA, KMajorB, Tile>, WarpSums<Tile> {
  using Shared = SharedTiles<uint16_t, KMajorA, KMajorB, Tile>;
  using Sums = WarpSums<Tile>;
  static constexpr bool ROUNDED = true;
  static constexpr int STAGES = 2;

  __device__ __forceinline__ void multiply(const uint16_t* a, const uint16_t* b, int stride_a = Shared::STRIDE_A) {
    int matrix = threadIdx.x % WARP / 8, r = threadIdx.x % 8;
    uint32_t of_b[Sums::TILES_N][2];
#pragma unroll
    for (int j = 0; j < Sums::TILES_N; j += 2) {
      uint32_t four[4];
      int n = Sums::warp_column() + 8 * j + 8 * (matrix / 2), d = 8 * (matrix % 2);
      if (KMajorB) {
        ldmatrix_x4(four, b + (n + r) * Shared::STRIDE_B + d);
      } else {
        ldmatrix_x4_transposed(four, b + (d + r) * Shared::STRIDE_B + n);
      }
      of_b[j][0] = four[0];
      of_b[j][1] = four[1];
      of_b[j + 1][0] = four[2];
      of_b[j + 1][1] = four[3];
    }
#pragma unroll
    for (int i = 0; i < Sums::TILES_M; i++) {
      uint32_t of_a[4];
      int m = Sums::warp_row() + 16 * i + 8 * (matrix % 2), d = 8 * (matrix / 2);
      if (KMajorA) {
        ldmatrix_x4(of_a, a + (m + r) * stride_a + d);
      } else {
        ldmatrix_x4_transposed(of_a, a + (d + r) * stride_a + m);
      }
#pragma unroll
      for (int j = 0; j < Sums::TILES_N; j++) mma_bf16_16816(Sums::sums[i][j], of_a, of_b[j]);
    }
  }
};

}  // namespace gemm
