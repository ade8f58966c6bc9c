// y(i) = bank(index(i)) or, where index(i) is -1, otherwise(i); rows of `width` floats, contiguous. Backward: the gradient of the rows that
// `otherwise` gave. Tiles of common/element_tiles.cuh; 8 bytes an element, 12 where the gradient is added to.
#include "common/element_tiles.cuh"

KERNEL_BOUNDS(element_tiles::THREADS)
select_rows_forward(const float* __restrict__ bank, const int* __restrict__ index, const float* __restrict__ otherwise, float* __restrict__ y,
                    int rows, int width) {
  element_tiles::for_each(rows, width, [&](int64_t row, int column) {
    int from = index[row];
    y[row * width + column] = from >= 0 ? bank[(int64_t)from * width + column] : otherwise[row * width + column];
  });
}
EXPORT_KERNEL(select_rows_forward)

KERNEL_BOUNDS(element_tiles::THREADS)
select_rows_backward(const int* __restrict__ index, const float* __restrict__ dy, float* __restrict__ gradient, int accumulate, int rows, int width) {
  element_tiles::for_each(rows, width, [&](int64_t row, int column) {
    int64_t at = row * width + column;
    float value = index[row] < 0 ? dy[at] : 0.0f;
    gradient[at] = accumulate ? gradient[at] + value : value;
  });
}
EXPORT_KERNEL(select_rows_backward)
