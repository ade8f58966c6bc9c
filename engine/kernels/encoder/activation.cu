// y = activation(x) element by element, and dx (+)= dy · activation'(x). Rows may be strided (channel views).
// Tiles of common/element_tiles.cuh; 8 bytes an element forward, 16 backward.
#include "common/activation.cuh"
#include "common/element_tiles.cuh"

// y may be x.
KERNEL_BOUNDS(element_tiles::THREADS)
activation_forward(const float* x, int stride_x, float* y, int stride_y, int rows, int columns, int kind, float slope) {
  element_tiles::for_each(rows, columns, [&](int64_t row, int column) { y[row * stride_y + column] = activation_value(kind, slope, x[row * stride_x + column]); });
}
EXPORT_KERNEL(activation_forward)

// dx may be dy.
KERNEL_BOUNDS(element_tiles::THREADS)
activation_backward(const float* x, int stride_x, const float* y, int stride_y, const float* dy, int stride_dy, float* dx, int stride_dx, int rows,
                    int columns, int kind, float slope, int accumulate) {
  element_tiles::for_each(rows, columns, [&](int64_t row, int column) {
    float gradient = dy[row * stride_dy + column] * activation_slope(kind, slope, x[row * stride_x + column], y[row * stride_y + column]);
    float* target = dx + row * stride_dx + column;
    *target = accumulate != 0 ? *target + gradient : gradient;
  });
}
EXPORT_KERNEL(activation_backward)
