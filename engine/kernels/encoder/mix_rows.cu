// y(i) = w(i) x(i) + (1 - w(i)) x(p(i)); rows of `width` floats, contiguous. Backward: dx(i) = w(i) dy(i) + sum of (1 - w(j)) dy(j) over the
// rows j with p(j) = i. Every element looks for those rows itself, in the order of j: the sum is the same every time and needs no atomics, and
// all threads of a tile row read the same partner at once, so that the search is one broadcast a row of the batch.
// Tiles of common/element_tiles.cuh; 12 bytes an element either way where partners are a permutation, 16 where the gradient is added to.
#include "common/element_tiles.cuh"

KERNEL_BOUNDS(element_tiles::THREADS)
mix_rows_forward(const float* __restrict__ x, const int* __restrict__ partners, const float* __restrict__ weights, float* __restrict__ y, int rows,
                 int width) {
  element_tiles::for_each(rows, width, [&](int64_t row, int column) {
    float weight = weights[row];
    y[row * width + column] = weight * x[row * width + column] + (1.0f - weight) * x[(int64_t)partners[row] * width + column];
  });
}
EXPORT_KERNEL(mix_rows_forward)

KERNEL_BOUNDS(element_tiles::THREADS)
mix_rows_backward(const float* __restrict__ dy, const int* __restrict__ partners, const float* __restrict__ weights, float* __restrict__ dx,
                  int accumulate, int rows, int width) {
  element_tiles::for_each(rows, width, [&](int64_t row, int column) {
    int64_t at = row * width + column;
    float sum = weights[row] * dy[at];
    sum += accumulate ? dx[at] : 0.0f;
    for (int from = 0; from < rows; ++from) {
      if (partners[from] == (int)row) {
        sum += (1.0f - weights[from]) * dy[(int64_t)from * width + column];
      }
    }
    dx[at] = sum;
  });
}
EXPORT_KERNEL(mix_rows_backward)
