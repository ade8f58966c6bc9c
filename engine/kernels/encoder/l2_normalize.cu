// y = x / max(‖x‖, ε) row by row; backward dx = (dy − (y·dy) y) / ‖x‖, and dy / ε below the floor, without the projection;
// times *factor where one is given (the losses pass the gradient of the loss).
// One warp a row, four rows a block; sums in f32 over a fixed order. Reads a row twice forward, y and dy twice backward.
#include "common/reduce.cuh"

namespace {

constexpr int ROWS = 4;

}

KERNEL_BOUNDS(WARP* ROWS)
l2_normalize_forward(const float* __restrict__ x, int stride_x, float* __restrict__ y, int stride_y, float* __restrict__ lengths, int rows, int width,
                     float eps) {
  int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;  // Whole warps leave.
  const float* from = x + int64_t(row) * stride_x;
  float squares = 0.0f;
  for (int i = lane; i < width; i += WARP) squares = fmaf(from[i], from[i], squares);
  float length = sqrtf(warp_sum(squares));
  if (lane == 0) lengths[row] = length;
  float divisor = length < eps ? eps : length;  // A comparison keeps a NaN.
  for (int i = lane; i < width; i += WARP) y[int64_t(row) * stride_y + i] = from[i] / divisor;
}
EXPORT_KERNEL(l2_normalize_forward)

KERNEL_BOUNDS(WARP* ROWS)
l2_normalize_backward(const float* __restrict__ y, int stride_y, const float* __restrict__ lengths, const float* __restrict__ dy, int stride_dy,
                      float* __restrict__ dx, int stride_dx, int rows, int width, float eps, int accumulate,
                      const float* __restrict__ factor) {
  int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;
  const float* unit = y + int64_t(row) * stride_y;
  const float* gradient = dy + int64_t(row) * stride_dy;
  float along = 0.0f;
  for (int i = lane; i < width; i += WARP) along = fmaf(unit[i], gradient[i], along);
  along = warp_sum(along);
  bool floored = lengths[row] < eps;
  if (floored) along = 0.0f;
  float scale = (factor == nullptr ? 1.0f : *factor) / (floored ? eps : lengths[row]);
  for (int i = lane; i < width; i += WARP) {
    float* target = dx + int64_t(row) * stride_dx + i;
    float value = (gradient[i] - along * unit[i]) * scale;
    *target = accumulate != 0 ? *target + value : value;
  }
}
EXPORT_KERNEL(l2_normalize_backward)
