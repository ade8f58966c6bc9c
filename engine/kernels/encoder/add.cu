// y = a + b, or a copy of a where there is no b. Rows may be strided (channel views); y may be a or b.
// Tiles of common/element_tiles.cuh; 12 bytes an element, 8 for a copy.
#include "common/element_tiles.cuh"

KERNEL_BOUNDS(element_tiles::THREADS)
add_rows(const float* a, int stride_a, const float* b, int stride_b, float* y, int stride_y, int rows, int columns) {
  element_tiles::for_each(rows, columns, [&](int64_t row, int column) {
    float value = a[row * stride_a + column];
    y[row * stride_y + column] = b == nullptr ? value : value + b[row * stride_b + column];
  });
}
EXPORT_KERNEL(add_rows)
