// Losses that are a mean over elements of a function of x − y: MeanSquared and L1.
//
// sums: a warp a row, its weighted sum in f64; mean_squared_mean adds the rows. gradient: an element a thread and step.
// Traffic: x and y are read once forward and once backward.
#pragma once
#include "common/element_tiles.cuh"
#include "common/reduce.cuh"

namespace element_loss {

constexpr int ROWS = 4, THREADS = ROWS * WARP;

template <typename Loss>
__device__ __forceinline__ void sums(const float* x, int stride_x, const float* y, int stride_y, int rows, int columns, const float* weights,
                                     double* result) {
  int row = blockIdx.x * ROWS + threadIdx.x / WARP;
  if (row >= rows) return;  // Whole warps leave.
  const float *a = x + int64_t(row) * stride_x, *b = y + int64_t(row) * stride_y;
  double sum = 0.0;
  for (int i = threadIdx.x % WARP; i < columns; i += WARP) sum += Loss::value(a[i] - b[i]);
  sum = warp_sum(sum);
  if (threadIdx.x % WARP == 0) result[row] = weights == nullptr ? sum : sum * weights[row];
}

template <typename Loss>
__device__ __forceinline__ void gradient(const float* x, int stride_x, const float* y, int stride_y, int rows, int columns, const float* weights,
                                         float factor, float* result, int result_stride, int accumulate) {
  element_tiles::for_each(rows, columns, [&](int64_t row, int column) {
    float weight = weights == nullptr ? factor : factor * weights[row];
    float value = weight * Loss::slope(x[row * stride_x + column] - y[row * stride_y + column]);
    float* to = result + row * result_stride + column;
    *to = accumulate != 0 ? *to + value : value;
  });
}

}  // namespace element_loss
