// y = a + b, and copies, row by row; rows may be strided (channel views). 12 and 8 bytes an element.
// Grid (columns / 128, rows / 8), block (32, 8), four columns a thread one warp apart.
#include "common/prelude.cuh"

namespace {

constexpr int COLUMNS = 32, EACH = 4, ROWS = 8;

}

// b null: y = a. y may be a or b.
KERNEL_BOUNDS(COLUMNS* ROWS)
add_rows(const float* a, int stride_a, const float* b, int stride_b, float* y, int stride_y, int rows, int columns) {
  int64_t row = blockIdx.y * ROWS + threadIdx.y;
  if (row >= rows) return;
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    int column = (blockIdx.x * EACH + i) * COLUMNS + threadIdx.x;
    if (column >= columns) return;
    float value = a[row * stride_a + column];
    y[row * stride_y + column] = b == nullptr ? value : value + b[row * stride_b + column];
  }
}
EXPORT_KERNEL(add_rows)
