// Log-mel filterbank energies of waveforms [N, L]: framing, dither, mean removal, pre-emphasis, window, power spectrum, mel triangles, log.
//
// Geometry: one warp per frame, as many frames a block as shared memory holds (up to 8); warps never wait for each other.
//   shared, per frame: two buffers of FFT length / 2 complex numbers. The frame's samples are read into the second, conditioned into the first
//   (pairs of reals as complex numbers), transformed, and their power put where the transform is not.
// Twiddles, window and mel weights come from the first-level cache.
// Work: about 16 k FLOP a frame of 512; traffic 4 (shift + bands) bytes a frame, so arithmetic and shared memory bound it.
#include "common/fft.cuh"
#include "common/philox.cuh"
#include "common/reduce.cuh"

// Field by field the CudaProblem of Fbank.Cuda.cs.
struct FbankProblem {
  const float* waves;
  const float* window;      // [frame_length], scaled.
  const float2* twiddles;   // [fft_length]: e^(−2πi k / fft_length).
  const int* mel_ranges;    // [bands, 3]: first frequency, number of them, where their weights begin.
  const float* mel_weights;
  float* features;          // [N, frames, bands].
  uint64_t dither_seed;
  int wave_stride, samples, frames, total_frames, bands;
  int frame_length, frame_shift, first_start, fft_length;
  uint32_t dither_epoch, dither_stream;
  float dither, preemphasis, log_floor;
  int repeats_edge, remove_mean, use_power, use_log, adds_floor;
};

namespace {

// Positions outside the waveform are mirrored: about the first sample, or about its edge (which repeats it).
__device__ __forceinline__ int mirror(int i, int samples, int repeat) {
  while (i < 0 || i >= samples) i = i < 0 ? -i - repeat : 2 * (samples - 1) + repeat - i;
  return i;
}

// Samples 4b to 4b + 3 of frame t get the numbers of the Philox block with counter (t · blocks + b, row, epoch, stream).
__device__ __forceinline__ void add_dither(const FbankProblem& p, int row, int frame, float* samples) {
  int blocks = divide_up(p.frame_length, 4);
  for (int b = threadIdx.x % WARP; b < blocks; b += WARP) {
    uint32_t words[4] = {uint32_t(frame) * uint32_t(blocks) + uint32_t(b), uint32_t(row), p.dither_epoch, p.dither_stream};
    philox(p.dither_seed, words);
    float2 first = normal_pair(words[0], words[1]), second = normal_pair(words[2], words[3]);
    float noise[4] = {first.x, first.y, second.x, second.y};
#pragma unroll
    for (int i = 0; i < 4; i++)
      if (4 * b + i < p.frame_length) samples[4 * b + i] = fmaf(noise[i], p.dither, samples[4 * b + i]);
  }
}

}  // namespace

// Grid (frames in all / frames of a block), block 32 · frames of a block.
KERNEL_BOUNDS(256)
fbank_forward(const FbankProblem p) {
  DYNAMIC_SHARED(float2, shared);
  int lane = threadIdx.x % WARP, number = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (number >= p.total_frames) return;
  int row = number / p.frames, frame = number - row * p.frames, half = p.fft_length / 2;
  float2* work = shared + int64_t(threadIdx.x / WARP) * 2 * half;
  float2* other = work + half;
  float* samples = reinterpret_cast<float*>(other);
  const float* wave = p.waves + int64_t(row) * p.wave_stride;
  int start = p.first_start + frame * p.frame_shift;
  bool within = start >= 0 && start + p.frame_length <= p.samples;
  for (int i = lane; i < p.frame_length; i += WARP) samples[i] = wave[within ? start + i : mirror(start + i, p.samples, p.repeats_edge)];
  __syncwarp();
  if (p.dither > 0.0f) {
    add_dither(p, row, frame, samples);
    __syncwarp();
  }

  float mean = 0.0f;
  if (p.remove_mean != 0) {
    for (int i = lane; i < p.frame_length; i += WARP) mean += samples[i];
    mean = warp_sum(mean) / p.frame_length;
  }
  float* conditioned = reinterpret_cast<float*>(work);
  for (int i = lane; i < p.fft_length; i += WARP) {
    float value = 0.0f;
    if (i < p.frame_length) value = fmaf(samples[i == 0 ? 0 : i - 1] - mean, -p.preemphasis, samples[i] - mean) * p.window[i];
    conditioned[i] = value;
  }
  __syncwarp();

  float2* z = fft::transform(fft::WarpGroup(), work, other, half, p.twiddles);
  float* power = reinterpret_cast<float*>(z == work ? other : work);
  for (int k = lane; k <= half; k += WARP) {
    float2 x = fft::real_frequency(z, half, k, p.twiddles);
    float squared = fmaf(x.x, x.x, x.y * x.y);
    power[k] = p.use_power != 0 ? squared : sqrtf(squared);
  }
  __syncwarp();

  float* features = p.features + int64_t(number) * p.bands;
  for (int band = lane; band < p.bands; band += WARP) {
    const float* bins = power + p.mel_ranges[3 * band];
    int count = p.mel_ranges[3 * band + 1];
    const float* weights = p.mel_weights + p.mel_ranges[3 * band + 2];
    float energy = 0.0f;
    for (int i = 0; i < count; i++) energy = fmaf(bins[i], weights[i], energy);
    // A comparison keeps a NaN where a maximum would swallow it.
    if (p.use_log != 0) energy = logf(p.adds_floor != 0 ? energy + p.log_floor : energy < p.log_floor ? p.log_floor : energy);
    features[band] = energy;
  }
}
EXPORT_KERNEL(fbank_forward)
