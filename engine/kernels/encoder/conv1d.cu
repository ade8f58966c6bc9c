// What a convolution needs besides the products of mat_mul.cu over its windows: the gradient of a mirrored border.
//
// whole [N, T + 2·pad, C] is the gradient of the padded signal; every frame gets its own row and those of its mirror images.
// Gathering, not scattering: each element is written once. Grid (C / 128, T, N), block 128.
#include "common/prelude.cuh"

KERNEL_BOUNDS(128)
conv1d_fold_mirror(const float* __restrict__ whole, float* __restrict__ target, int stride, int frames, int channels, int pad, int accumulate) {
  int channel = blockIdx.x * blockDim.x + threadIdx.x, t = blockIdx.y, padded = frames + 2 * pad;
  if (channel >= channels) return;
  const float* item = whole + int64_t(blockIdx.z) * padded * channels + channel;
  float sum = item[int64_t(t + pad) * channels];
  if (t >= 1 && t <= pad) sum += item[int64_t(pad - t) * channels];
  int mirrored = 2 * (frames - 1) - t + pad;
  if (t <= frames - 2 && mirrored < padded) sum += item[int64_t(mirrored) * channels];
  float* element = target + (int64_t(blockIdx.z) * frames + t) * stride + channel;
  *element = accumulate != 0 ? *element + sum : sum;
}
EXPORT_KERNEL(conv1d_fold_mirror)
