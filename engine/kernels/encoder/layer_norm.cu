// y = γ x̂ + β with x̂ = (x − μ) r, r = 1 / √(σ² + ε), row by row; backward with g = dy γ: dx = r (g − mean(g) − x̂ mean(g x̂)), and the
// products dy x̂, whose column sums (linear.cu) are the gradient of γ. statistics [rows, 2] holds μ and r.
//
// One warp a row, four rows a block; sums in f32 over a fixed order, the variance from differences with the mean. Reads a row three times
// forward, x and dy twice backward, from cache after the first.
#include "common/reduce.cuh"

namespace {

constexpr int ROWS = 4;

}

KERNEL_BOUNDS(WARP* ROWS)
layer_norm_forward(const float* __restrict__ x, int stride_x, const float* __restrict__ gamma, const float* __restrict__ beta, int rows, int width,
                   float eps, float* __restrict__ y, float* __restrict__ statistics) {
  int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;  // Whole warps leave.
  const float* from = x + int64_t(row) * stride_x;
  float sum = 0.0f, squares = 0.0f;
  for (int i = lane; i < width; i += WARP) sum += from[i];
  float mean = warp_sum(sum) / width;
  for (int i = lane; i < width; i += WARP) squares = fmaf(from[i] - mean, from[i] - mean, squares);
  float scale = 1.0f / sqrtf(warp_sum(squares) / width + eps);
  if (lane == 0) {
    statistics[2 * row] = mean;
    statistics[2 * row + 1] = scale;
  }
  for (int i = lane; i < width; i += WARP) y[int64_t(row) * width + i] = fmaf((from[i] - mean) * scale, gamma[i], beta[i]);
}
EXPORT_KERNEL(layer_norm_forward)

KERNEL_BOUNDS(WARP* ROWS)
layer_norm_backward(const float* __restrict__ x, int stride_x, const float* __restrict__ gamma, const float* __restrict__ statistics,
                    const float* __restrict__ dy, int stride_dy, int rows, int width, float* __restrict__ dx, int stride_dx, int accumulate,
                    float* __restrict__ products) {
  int row = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;
  const float* from = x + int64_t(row) * stride_x;
  const float* gradient = dy + int64_t(row) * stride_dy;
  float mean = statistics[2 * row], scale = statistics[2 * row + 1], sum = 0.0f, along = 0.0f;
  for (int i = lane; i < width; i += WARP) {
    float product = gradient[i] * ((from[i] - mean) * scale);
    sum = fmaf(gradient[i], gamma[i], sum);
    along = fmaf(product, gamma[i], along);
    if (products != nullptr) products[int64_t(row) * width + i] = product;
  }
  if (dx == nullptr) return;
  sum = warp_sum(sum) / width;
  along = warp_sum(along) / width;
  for (int i = lane; i < width; i += WARP) {
    float* target = dx + int64_t(row) * stride_dx + i;
    float value = (gradient[i] * gamma[i] - sum - (from[i] - mean) * scale * along) * scale;
    *target = accumulate != 0 ? *target + value : value;
  }
}
EXPORT_KERNEL(layer_norm_backward)
