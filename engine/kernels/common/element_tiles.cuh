// Visiting every element of a matrix whose rows may be strided (channel views): four columns a thread, one warp apart.
// Grid (rows / 8, columns / 128), block (32, 8).
#pragma once
#include "common/prelude.cuh"

namespace element_tiles {

constexpr int COLUMNS = 32, EACH = 4, ROWS = 8, THREADS = COLUMNS * ROWS;

// Calls visit(row, column) for the elements of this thread.
template <typename Visit>
__device__ __forceinline__ void for_each(int rows, int columns, Visit visit) {
  int row = blockIdx.x * ROWS + threadIdx.y;
  if (row >= rows) return;
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    int column = (blockIdx.y * EACH + i) * COLUMNS + threadIdx.x;
    if (column < columns) visit(int64_t(row), column);
  }
}

}  // namespace element_tiles
