// Squeeze and excitation: s = mean over time of x [N, T, C]; g = sigmoid(W2 relu(W1 s + b1) + b2); y = x g (+ residual).
//
//   backward  dg = Σ_t x dy;  through the two small products (mat_mul.cu) to ds;  dx = dy g + ds / T;  the residual gets dy
//
// Traffic: squeeze reads x once, but where the product ahead of the norm that made x left its sums over time (common/utterance_sums.cuh); scale reads x
// (and the residual) and writes y; backward reads x and dy, then dy, and writes dx.
#include "common/element_tiles.cuh"
#include "common/time_sums.cuh"

// sums [N, C] = scale · Σ_t x, or of x · other. Grid (channels / 32, utterances), block (32, 8).
KERNEL_BOUNDS(time_sums::COLUMNS* time_sums::LANES)
squeeze_excite_time_sums(const float* __restrict__ x, int stride, const float* __restrict__ other, int stride_other, int frames, int channels, float scale,
                         float* __restrict__ sums) {
  float sum = time_sums::of_channel(x, stride, other, stride_other, frames, channels);
  int channel = blockIdx.x * time_sums::COLUMNS + threadIdx.x;
  if (threadIdx.y == 0 && channel < channels) sums[int64_t(blockIdx.y) * channels + channel] = sum * scale;
}
EXPORT_KERNEL(squeeze_excite_time_sums)

// In place. Grid (count / 256), block 256.
KERNEL_BOUNDS(256)
squeeze_excite_relu(float* __restrict__ hidden, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count && hidden[i] < 0.0f) hidden[i] = 0.0f;  // A NaN stays.
}
EXPORT_KERNEL(squeeze_excite_relu)

// In place. Grid (count / 256), block 256.
KERNEL_BOUNDS(256)
squeeze_excite_sigmoid(float* __restrict__ gates, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) gates[i] = 1.0f / (1.0f + expf(-gates[i]));
}
EXPORT_KERNEL(squeeze_excite_sigmoid)

// From the gradient of the gates to that of their logits, in place. Grid (count / 256), block 256.
KERNEL_BOUNDS(256)
squeeze_excite_sigmoid_backward(float* __restrict__ gradient, const float* __restrict__ gates, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) gradient[i] *= gates[i] * (1.0f - gates[i]);
}
EXPORT_KERNEL(squeeze_excite_sigmoid_backward)

// In place. Grid (count / 256), block 256.
KERNEL_BOUNDS(256)
squeeze_excite_relu_backward(float* __restrict__ gradient, const float* __restrict__ hidden, int count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count && !(hidden[i] > 0.0f)) gradient[i] = 0.0f;
}
EXPORT_KERNEL(squeeze_excite_relu_backward)

// residual may be null. Tiles of common/element_tiles.cuh.
KERNEL_BOUNDS(element_tiles::THREADS)
squeeze_excite_scale(const float* __restrict__ x, int stride_x, const float* __restrict__ gates, const float* residual, int stride_residual, float* y,
                     int stride_y, int rows, int frames, int channels) {
  element_tiles::for_each(rows, channels, [&](int64_t row, int channel) {
    float gate = gates[row / frames * channels + channel], value = x[row * stride_x + channel];
    y[row * stride_y + channel] = residual == nullptr ? value * gate : fmaf(value, gate, residual[row * stride_residual + channel]);
  });
}
EXPORT_KERNEL(squeeze_excite_scale)

// dx and the residual's gradient may be null; dx may be dy's memory: each element is read before it is written.
// Tiles of common/element_tiles.cuh.
KERNEL_BOUNDS(element_tiles::THREADS)
squeeze_excite_scale_backward(const float* dy, int stride_dy, const float* __restrict__ gates, const float* __restrict__ mean_gradient, float* dx,
                              int stride_dx, int add_x, float* residual, int stride_residual, int add_residual, int rows, int frames, int channels) {
  float share = 1.0f / frames;
  element_tiles::for_each(rows, channels, [&](int64_t row, int channel) {
    float gradient = dy[row * stride_dy + channel];
    if (residual != nullptr) {
      float* target = residual + row * stride_residual + channel;
      *target = add_residual != 0 ? *target + gradient : gradient;
    }
    if (dx != nullptr) {
      int64_t of_utterance = row / frames * channels + channel;
      float* target = dx + row * stride_dx + channel;
      float through = fmaf(mean_gradient[of_utterance], share, gradient * gates[of_utterance]);
      *target = add_x != 0 ? *target + through : through;
    }
  });
}
EXPORT_KERNEL(squeeze_excite_scale_backward)
