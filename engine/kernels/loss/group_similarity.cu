// Mean over rows of the mean product with the other rows of their group; row i is of the group of item i mod R, of which each is its own without groups.
//
// rows: a block a row, a column a thread and step; whether a row is of the group is the same question for all threads, so that only rows of the
// group are read. Sums in f32 in the order of the rows, the product in f64; the mean over rows is taken by mean_squared_mean.
// gradient: (2/N) times the means, an element a thread and step. Traffic: n rows of the group for each row forward, the means once each way.
#include "common/element_tiles.cuh"
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 128;

__device__ __forceinline__ int group_of(const int* groups, int item) { return groups == nullptr ? item : groups[item]; }

}

// Grid N, block 128. means [N, D]; products [N] in f64.
KERNEL_BOUNDS(THREADS)
group_similarity_rows(const float* __restrict__ rows, const int* __restrict__ groups, int count, int items, int width, float* __restrict__ means,
                      double* __restrict__ products) {
  __shared__ double scratch[THREADS / WARP];
  int own = blockIdx.x, group = group_of(groups, own % items);
  int others = -1;  // All rows of the group but the row itself.
  for (int item = 0; item < items; item++) {
    if (group_of(groups, item) == group) others += count / items;
  }
  double product = 0.0;
  for (int column = threadIdx.x; column < width; column += THREADS) {
    float sum = 0.0f;
    for (int item = 0; item < items; item++) {
      if (group_of(groups, item) != group) continue;
      for (int row = item; row < count; row += items) {
        if (row != own) sum += rows[int64_t(row) * width + column];
      }
    }
    float mean = others > 0 ? sum / others : 0.0f;
    means[int64_t(own) * width + column] = mean;
    product += rows[int64_t(own) * width + column] * mean;
  }
  product = block_sum(product, scratch);
  if (threadIdx.x == 0) products[own] = product;
}
EXPORT_KERNEL(group_similarity_rows)

// Tiles of common/element_tiles.cuh over [N, D].
KERNEL_BOUNDS(element_tiles::THREADS)
group_similarity_gradient(const float* __restrict__ means, int count, int width, const float* __restrict__ loss_gradient, float* __restrict__ gradient,
                          int gradient_stride, int accumulate) {
  float factor = 2.0f * *loss_gradient / count;
  element_tiles::for_each(count, width, [&](int64_t row, int column) {
    float value = factor * means[row * width + column];
    float* to = gradient + row * gradient_stride + column;
    *to = accumulate != 0 ? *to + value : value;
  });
}
EXPORT_KERNEL(group_similarity_gradient)
