// Mean absolute difference of two tensors; the slope at 0 is 0; the method is in common/element_loss.cuh.
#include "common/element_loss.cuh"

namespace {

struct Absolute {
  __device__ __forceinline__ static float value(float difference) { return fabsf(difference); }
  __device__ __forceinline__ static float slope(float difference) { return fabsf(difference) > 0.0f ? copysignf(1.0f, difference) : difference; }
};

}  // namespace

KERNEL_BOUNDS(element_loss::THREADS)
l1_sums(const float* __restrict__ x, int stride_x, const float* __restrict__ y, int stride_y, int rows, int columns,
        const float* __restrict__ weights, double* __restrict__ sums) {
  element_loss::sums<Absolute>(x, stride_x, y, stride_y, rows, columns, weights, sums);
}
EXPORT_KERNEL(l1_sums)

KERNEL_BOUNDS(element_tiles::THREADS)
l1_gradient(const float* __restrict__ x, int stride_x, const float* __restrict__ y, int stride_y, int rows, int columns,
            const float* __restrict__ weights, const float* __restrict__ loss_gradient, float factor, float* __restrict__ gradient,
            int gradient_stride, int accumulate) {
  element_loss::gradient<Absolute>(x, stride_x, y, stride_y, rows, columns, weights, *loss_gradient * factor, gradient, gradient_stride, accumulate);
}
EXPORT_KERNEL(l1_gradient)
