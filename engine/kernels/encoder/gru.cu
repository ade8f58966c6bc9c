// Gated recurrent units, what a frame does besides its product. With g [N, T, 3H] the inputs' part of reset r, update z and new n:
//   r = σ(g_r + a_r), z = σ(g_z + a_z), n = tanh(g_n + r a_n), h' = (1 − z) n + z h, where a = W_h h + b_h is the recurrent part [N, 3H].
// The inputs' part of all frames, a of each frame, and all gradients of weights are products (mat_mul.cu).
//
//   backward  dn = dh (1 − z)(1 − n²);  dz = dh (h − n) z (1 − z);  dr = dn a_n r (1 − r)
//             (dr, dz, dn) is the gradient of g, (dr, dz, dn r) that of a, and the state before gets dh z + W_hᵀ (dr, dz, dn r)
//
// One thread a unit of an item, grid N·H / 256, block 256; a frame runs after the one it needs, so nothing is summed here.
// Traffic: forward 10 values a unit, backward 14.
#include "common/activation.cuh"

namespace {

constexpr int THREADS = 256;

struct Unit {
  int64_t row;  // Of [N, T].
  int item, index;
  bool inside;
};

__device__ __forceinline__ Unit this_unit(int items, int frames, int units, int frame) {
  int number = blockIdx.x * THREADS + threadIdx.x, item = number / units;
  return {int64_t(item) * frames + frame, item, number - item * units, item < items};
}

// The state that a frame starts from: the output one frame earlier, or the first state.
__device__ __forceinline__ float earlier(const float* first, const float* y, const Unit& unit, int units, int frame) {
  return frame == 0 ? first[int64_t(unit.item) * units + unit.index] : y[(unit.row - 1) * units + unit.index];
}

}  // namespace

// gates: the inputs' part, replaced by r, z, n. candidates [N, T, H] = a_n. y [N, T, H] is read one frame earlier.
KERNEL_BOUNDS(THREADS)
gru_step(const float* __restrict__ recurrent, const float* __restrict__ first, int items, int frames, int units, int frame, float* __restrict__ gates,
         float* __restrict__ candidates, float* y) {
  Unit unit = this_unit(items, frames, units, frame);
  if (!unit.inside) return;
  const float* a = recurrent + int64_t(unit.item) * 3 * units + unit.index;
  float* g = gates + unit.row * 3 * units + unit.index;
  float state = earlier(first, y, unit, units, frame), candidate = a[2 * units];
  float r = activation_value(SIGMOID, 0.0f, g[0] + a[0]);
  float z = activation_value(SIGMOID, 0.0f, g[units] + a[units]);
  float n = tanhf(fmaf(r, candidate, g[2 * units]));
  g[0] = r;
  g[units] = z;
  g[2 * units] = n;
  candidates[unit.row * units + unit.index] = candidate;
  y[unit.row * units + unit.index] = fmaf(state - n, z, n);
}
EXPORT_KERNEL(gru_step)

// gates: r, z, n, replaced by the gradient of a. carry [N, H]: what the frame after this one hands down, replaced by dh z.
KERNEL_BOUNDS(THREADS)
gru_step_backward(const float* __restrict__ dy, const float* __restrict__ candidates, const float* __restrict__ first, const float* __restrict__ y,
                  int items, int frames, int units, int frame, float* __restrict__ gates, float* __restrict__ input_gradient,
                  float* __restrict__ carry) {
  Unit unit = this_unit(items, frames, units, frame);
  if (!unit.inside) return;
  float* g = gates + unit.row * 3 * units + unit.index;
  float* inputs = input_gradient + unit.row * 3 * units + unit.index;
  float* down = carry + int64_t(unit.item) * units + unit.index;
  float r = g[0], z = g[units], n = g[2 * units], state = earlier(first, y, unit, units, frame);
  float dh = dy[unit.row * units + unit.index] + *down;
  float dn = dh * (1.0f - z) * (1.0f - n * n);
  float dz = dh * (state - n) * z * (1.0f - z);
  float dr = dn * candidates[unit.row * units + unit.index] * r * (1.0f - r);
  inputs[0] = g[0] = dr;
  inputs[units] = g[units] = dz;
  inputs[2 * units] = dn;
  g[2 * units] = dn * r;
  *down = dh * z;
}
EXPORT_KERNEL(gru_step_backward)
