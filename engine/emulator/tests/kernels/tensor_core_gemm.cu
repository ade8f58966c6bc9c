// C = A B for A rows x depth and B depth x columns, f32 in memory, bf16 or tf32 in the tensor core: 16 x 8 of C for each warp.
#include "common/prelude.cuh"
#include "emulated_tensor_core.h"

namespace {
constexpr int TILE_ROWS = 16, TILE_COLUMNS = 16, TILE_DEPTH = 16;
}

__device__ float element_or_zero(const float* matrix, int row, int column, int rows, int columns) {
  return row < rows && column < columns ? matrix[row * columns + column] : 0.0f;
}

__device__ void store_tile(float* c, const float (&sums)[4], int row, int column, int rows, int columns) {
  for (int i = 0; i < 4; i++) {
    int r = row + threadIdx.x / 4 + 8 * (i / 2), k = column + 2 * (threadIdx.x % 4) + i % 2;
    if (r < rows && k < columns) c[r * columns + k] = sums[i];
  }
}

// One warp makes 16 x 16 of C. A comes through ldmatrix, B through its transposing form.
KERNEL emulator_test_gemm_bf16(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int rows, int columns, int depth) {
  __shared__ __align__(16) uint16_t tile_a[TILE_ROWS * TILE_DEPTH];
  __shared__ __align__(16) uint16_t tile_b[TILE_DEPTH * TILE_COLUMNS];
  int row = blockIdx.y * TILE_ROWS, column = blockIdx.x * TILE_COLUMNS, lane = threadIdx.x;
  float sums[2][4] = {};
  for (int k = 0; k < depth; k += TILE_DEPTH) {
    for (int i = lane; i < TILE_ROWS * TILE_DEPTH; i += WARP) {
      tile_a[i] = static_cast<uint16_t>(pack_bf16(element_or_zero(a, row + i / 16, k + i % 16, rows, depth), 0.0f));
      tile_b[i] = static_cast<uint16_t>(pack_bf16(element_or_zero(b, k + i / 16, column + i % 16, depth, columns), 0.0f));
    }
    __syncwarp();
    uint32_t fragment_a[4], fragment_b[4];
    int matrix = lane / 8, r = lane % 8;
    ldmatrix_x4(fragment_a, tile_a + (r + 8 * (matrix % 2)) * TILE_DEPTH + 8 * (matrix / 2));
    ldmatrix_x4_transposed(fragment_b, tile_b + (r + 8 * (matrix % 2)) * TILE_COLUMNS + 8 * (matrix / 2));
    uint32_t left[2] = {fragment_b[0], fragment_b[1]}, right[2] = {fragment_b[2], fragment_b[3]};
    mma_bf16_16816(sums[0], fragment_a, left);
    mma_bf16_16816(sums[1], fragment_a, right);
    __syncwarp();
  }
  store_tile(c, sums[0], row, column, rows, columns);
  store_tile(c, sums[1], row, column + 8, rows, columns);
}
EXPORT_KERNEL(emulator_test_gemm_bf16)

// One warp makes 16 x 8 of C. The tiles come by asynchronous copies of 4 bytes; without the wait they are not there yet.
template <bool Wait>
__device__ void gemm_tf32(const float* a, const float* b, float* c, int rows, int columns, int depth) {
  __shared__ float tile_a[16 * 8], tile_b[8 * 8];
  int row = blockIdx.y * 16, column = blockIdx.x * 8, lane = threadIdx.x;
  float sums[4] = {};
  for (int k = 0; k < depth; k += 8) {
    for (int i = lane; i < 16 * 8; i += WARP) {
      int r = row + i / 8, d = k + i % 8;
      copy_async_4(tile_a + i, a + static_cast<int64_t>(r) * depth + d, r < rows && d < depth);
    }
    for (int i = lane; i < 8 * 8; i += WARP) {
      int d = k + i / 8, m = column + i % 8;
      copy_async_4(tile_b + i, b + static_cast<int64_t>(d) * columns + m, d < depth && m < columns);
    }
    copy_async_commit();
    if (Wait) copy_async_wait<0>();
    __syncwarp();
    uint32_t fragment_a[4], fragment_b[2];
    for (int i = 0; i < 4; i++) fragment_a[i] = round_to_tf32(tile_a[(lane / 4 + 8 * (i % 2)) * 8 + lane % 4 + 4 * (i / 2)]);
    for (int i = 0; i < 2; i++) fragment_b[i] = round_to_tf32(tile_b[(lane % 4 + 4 * i) * 8 + lane / 4]);
    mma_tf32_1688(sums, fragment_a, fragment_b);
    __syncwarp();
  }
  store_tile(c, sums, row, column, rows, columns);
}

KERNEL emulator_test_gemm_tf32(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int rows, int columns, int depth) {
  gemm_tf32<true>(a, b, c, rows, columns, depth);
}
EXPORT_KERNEL(emulator_test_gemm_tf32)

KERNEL emulator_test_missing_wait(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int rows, int columns, int depth) {
  gemm_tf32<false>(a, b, c, rows, columns, depth);
}
EXPORT_KERNEL(emulator_test_missing_wait)
