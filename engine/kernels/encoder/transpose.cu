// y[n, b, a] (+)= x[n, a, b]: the last two axes exchanged, rows on either side possibly strided.
//
// A block of 32 × 8 threads moves a square of 32 × 32 through shared memory, so that both sides are read and written along their rows;
// the odd width of the square spreads its columns over the banks. 8 bytes an element, 12 where it adds.
// Grid (columns / 32, rows / 32, N), block (32, 8).
#include "common/prelude.cuh"

namespace {

constexpr int SIDE = 32, LANES = 8;

}

KERNEL_BOUNDS(SIDE* LANES)
transpose_batch(const float* __restrict__ x, int stride_x, float* __restrict__ y, int stride_y, int rows, int columns, int accumulate) {
  __shared__ float square[SIDE][SIDE + 1];
  int column = blockIdx.x * SIDE + threadIdx.x, first_row = blockIdx.y * SIDE;
  const float* from = x + int64_t(blockIdx.z) * rows * stride_x + column;
  for (int r = threadIdx.y; r < SIDE; r += LANES) {
    if (first_row + r < rows && column < columns) square[r][threadIdx.x] = from[int64_t(first_row + r) * stride_x];
  }
  __syncthreads();
  int row = first_row + threadIdx.x, first_column = blockIdx.x * SIDE;
  float* to = y + int64_t(blockIdx.z) * columns * stride_y + row;
  for (int c = threadIdx.y; c < SIDE; c += LANES) {
    if (row >= rows || first_column + c >= columns) continue;
    float* element = to + int64_t(first_column + c) * stride_y;
    *element = accumulate != 0 ? *element + square[threadIdx.x][c] : square[threadIdx.x][c];
  }
}
EXPORT_KERNEL(transpose_batch)
