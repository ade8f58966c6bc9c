// Convolution of waveforms with room responses, cut to the waveform's length: partitioned overlap-save.
//
// Signal and response are cut into parts of 1024 samples. X_s is the transform of the 2048 samples that end with part s of the signal, H_p
// that of part p of the response and 1024 zeros; part s of the result is the second half of the inverse transform of Σ_p X_{s−p} H_p.
// Every transform fits in shared memory, whatever the lengths. A block of 256 threads takes one part; parts are added in order.
// Work a part: two transforms of 2048 and 8 · 1025 FLOP for each part of the response; traffic 8.2 KB for each product, mostly from the
// second-level cache.
#include "common/fft.cuh"

namespace {

constexpr int PART = 1024, HALF = PART, BINS = HALF + 1, THREADS = 256, EACH = HALF / THREADS;

}  // namespace

// spectra [rows, parts, 1025]: the transforms of a row's samples from part · 1024 − lead on, `take` of them, the rest zeros.
// lead 1024, take 2048 for signals; lead 0, take 1024 for responses. selected: which rows of x, or null for all.
// Grid (parts, rows), block 256.
KERNEL_BOUNDS(THREADS)
convolve_rir_spectra(const float* __restrict__ x, int stride, const int* __restrict__ selected, int samples, int lead, int take,
                     const float2* __restrict__ twiddles, float2* __restrict__ spectra) {
  __shared__ float2 buffers[2][HALF];
  const float* row = x + int64_t(selected == nullptr ? blockIdx.y : selected[blockIdx.y]) * stride;
  float* signal = reinterpret_cast<float*>(buffers[0]);
  for (int i = threadIdx.x; i < 2 * PART; i += THREADS) {
    int at = int(blockIdx.x) * PART - lead + i;
    signal[i] = i < take && at >= 0 && at < samples ? row[at] : 0.0f;
  }
  __syncthreads();
  const float2* z = fft::transform(fft::BlockGroup(), buffers[0], buffers[1], HALF, twiddles);
  float2* to = spectra + (int64_t(blockIdx.y) * gridDim.x + blockIdx.x) * BINS;
  for (int k = threadIdx.x; k < BINS; k += THREADS) to[k] = fft::real_frequency(z, HALF, k, twiddles);
}
EXPORT_KERNEL(convolve_rir_spectra)

// Row selected[r] of waves becomes its convolution with room rooms[r], whose response has parts[room] parts of at most `longest`.
// Grid (parts of the signal, selected rows), block 256.
KERNEL_BLOCKS(THREADS, 4)
convolve_rir_apply(float* __restrict__ waves, int stride, const int* __restrict__ selected, int samples, const float2* __restrict__ spectra,
                   const int* __restrict__ rooms, const float2* __restrict__ responses, const int* __restrict__ parts, int longest,
                   const float2* __restrict__ twiddles) {
  __shared__ float2 frequencies[BINS], buffer[HALF];
  int room = rooms[blockIdx.y], count = min(int(blockIdx.x) + 1, parts[room]);
  const float2* x = spectra + (int64_t(blockIdx.y) * gridDim.x + blockIdx.x) * BINS;
  const float2* h = responses + int64_t(room) * longest * BINS;
  float2 sums[EACH], nyquist = make_float2(0.0f, 0.0f);
#pragma unroll
  for (int i = 0; i < EACH; i++) sums[i] = make_float2(0.0f, 0.0f);
  for (int p = 0; p < count; p++, x -= BINS, h += BINS) {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      int k = threadIdx.x + i * THREADS;
      sums[i] = fft::add(sums[i], fft::multiply(x[k], h[k]));
    }
    if (threadIdx.x == 0) nyquist = fft::add(nyquist, fft::multiply(x[HALF], h[HALF]));
  }
#pragma unroll
  for (int i = 0; i < EACH; i++) frequencies[threadIdx.x + i * THREADS] = sums[i];
  if (threadIdx.x == 0) frequencies[HALF] = nyquist;
  __syncthreads();

  // The inverse of a transform is the forward one with real and imaginary parts exchanged.
  for (int k = threadIdx.x; k < HALF; k += THREADS) {
    float2 packed = fft::packed_frequency(frequencies[k], frequencies[HALF - k], twiddles[k]);
    buffer[k] = make_float2(packed.y, packed.x);
  }
  __syncthreads();
  const float2* z = fft::transform(fft::BlockGroup(), buffer, frequencies, HALF, twiddles);
  float* row = waves + int64_t(selected[blockIdx.y]) * stride;
  int first = int(blockIdx.x) * PART;
  for (int m = threadIdx.x; m < PART / 2; m += THREADS) {
    float2 pair = z[PART / 2 + m];
    int at = first + 2 * m;
    if (at < samples) row[at] = pair.y * (1.0f / HALF);
    if (at + 1 < samples) row[at + 1] = pair.x * (1.0f / HALF);
  }
}
EXPORT_KERNEL(convolve_rir_apply)
