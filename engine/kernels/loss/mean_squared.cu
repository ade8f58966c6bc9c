// Mean squared difference of two tensors; the method is in common/element_loss.cuh.
#include "common/element_loss.cuh"

namespace {

struct Squared {
  __device__ __forceinline__ static float value(float difference) { return difference * difference; }
  __device__ __forceinline__ static float slope(float difference) { return 2.0f * difference; }
};

}  // namespace

KERNEL_BOUNDS(element_loss::THREADS)
mean_squared_sums(const float* __restrict__ x, int stride_x, const float* __restrict__ y, int stride_y, int rows, int columns,
                  const float* __restrict__ weights, double* __restrict__ sums) {
  element_loss::sums<Squared>(x, stride_x, y, stride_y, rows, columns, weights, sums);
}
EXPORT_KERNEL(mean_squared_sums)

KERNEL_BOUNDS(element_tiles::THREADS)
mean_squared_gradient(const float* __restrict__ x, int stride_x, const float* __restrict__ y, int stride_y, int rows, int columns,
                      const float* __restrict__ weights, const float* __restrict__ loss_gradient, float factor, float* __restrict__ gradient,
                      int gradient_stride, int accumulate) {
  element_loss::gradient<Squared>(x, stride_x, y, stride_y, rows, columns, weights, *loss_gradient * factor, gradient, gradient_stride, accumulate);
}
EXPORT_KERNEL(mean_squared_gradient)

// One block, for both losses: the mean over elements from the sums of the rows.
KERNEL_BOUNDS(256)
mean_squared_mean(const double* __restrict__ sums, int rows, double elements, float* __restrict__ loss) {
  __shared__ double scratch[256 / WARP];
  double sum = 0.0;
  for (int row = threadIdx.x; row < rows; row += 256) sum += sums[row];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) loss[0] = float(sum / elements);
}
EXPORT_KERNEL(mean_squared_mean)
