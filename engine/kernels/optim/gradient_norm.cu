// Sum of squares of a flat vector in f64, and its scaling. A block sums one chunk of fixed length, one more block adds the chunks, both in
// a fixed order: the same bits on every device. Reads 4 bytes an element; scaling writes 4 more.
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 256;

}

// partial [chunks]. Grid chunks, block 256.
KERNEL_BOUNDS(THREADS)
gradient_norm_squares(const float* __restrict__ values, int count, int chunk, double* __restrict__ partial) {
  __shared__ double scratch[THREADS / WARP];
  int end = min(count, int(blockIdx.x + 1) * chunk);
  double sum = 0.0;
  for (int i = blockIdx.x * chunk + threadIdx.x; i < end; i += THREADS) sum += double(values[i]) * double(values[i]);
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
EXPORT_KERNEL(gradient_norm_squares)

// One block.
KERNEL_BOUNDS(THREADS)
gradient_norm_add(const double* __restrict__ partial, int chunks, double* __restrict__ total) {
  __shared__ double scratch[THREADS / WARP];
  double sum = 0.0;
  for (int i = threadIdx.x; i < chunks; i += THREADS) sum += partial[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *total = sum;
}
EXPORT_KERNEL(gradient_norm_add)

KERNEL_BOUNDS(THREADS)
gradient_norm_scale(float* __restrict__ values, int count, float factor) {
  int i = blockIdx.x * THREADS + threadIdx.x;
  if (i < count) values[i] *= factor;
}
EXPORT_KERNEL(gradient_norm_scale)
