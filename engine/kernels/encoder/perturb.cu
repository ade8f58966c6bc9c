// y = x + distance · radius · d / ‖d‖ row by row; a row whose d is zero stays.
// One warp a row, four rows a block. The largest element of d is taken out before squares are summed in f64: gradients of sure predictions are
// tiny, and their squares would underflow. Reads d three times and x once.
#include "common/reduce.cuh"

namespace {

constexpr int ROWS = 4;

}

KERNEL_BOUNDS(WARP* ROWS)
perturb_rows(const float* __restrict__ x, const float* __restrict__ directions, float distance, const float* __restrict__ radii, float* __restrict__ y,
             int rows, int width) {
  int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;  // Whole warps leave.
  const float* d = directions + int64_t(row) * width;
  float largest = 0.0f;
  for (int i = lane; i < width; i += WARP) largest = fmaxf(largest, fabsf(d[i]));
  largest = warp_max(largest);
  double squares = 0.0;
  for (int i = lane; i < width; i += WARP) {
    double part = d[i] / double(largest);
    squares += part * part;
  }
  squares = warp_sum(squares);
  float radius = radii == nullptr ? 1.0f : radii[row];
  float scale = largest < 1e-30f ? 0.0f : float(distance * radius / (largest * sqrt(squares)));
  for (int i = lane; i < width; i += WARP) y[int64_t(row) * width + i] = fmaf(d[i], scale, x[int64_t(row) * width + i]);
}
EXPORT_KERNEL(perturb_rows)
