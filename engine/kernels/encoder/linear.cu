// The gradient of a bias: sums over rows, per column. The products of Linear are those of mat_mul.cu.
//
// partial [chunks, columns]: a block of 32 columns × 8 row lanes sums one chunk of rows; linear_bias_gradient adds the chunks in order in f64.
// Reads 4 · rows · columns bytes once.
#include "common/prelude.cuh"

namespace {

constexpr int COLUMNS = 32, LANES = 8;

}

KERNEL_BOUNDS(COLUMNS* LANES)
linear_column_sums(const float* __restrict__ x, int stride, int rows, int columns, int rows_each, float* __restrict__ partial) {
  __shared__ float lanes[LANES][COLUMNS];
  int column = blockIdx.x * COLUMNS + threadIdx.x, end = min(rows, int(blockIdx.y + 1) * rows_each);
  float sum = 0.0f;
  if (column < columns) {
    for (int row = blockIdx.y * rows_each + threadIdx.y; row < end; row += LANES) sum += x[int64_t(row) * stride + column];
  }
  lanes[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && column < columns) {
    for (int lane = 1; lane < LANES; lane++) sum += lanes[lane][threadIdx.x];
    partial[int64_t(blockIdx.y) * columns + column] = sum;
  }
}
EXPORT_KERNEL(linear_column_sums)

KERNEL_BOUNDS(128)
linear_bias_gradient(const float* __restrict__ partial, int chunks, int columns, int accumulate, float* __restrict__ gradient) {
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  double sum = 0.0;
  for (int chunk = 0; chunk < chunks; chunk++) sum += partial[int64_t(chunk) * columns + column];
  gradient[column] = (accumulate != 0 ? gradient[column] : 0.0f) + float(sum);
}
EXPORT_KERNEL(linear_bias_gradient)
