// FFT of a complex signal of a power of two in shared memory, by a group of threads: a warp or a block.
//
// Stockham's order (no bit reversal): steps of radix 4, and one of radix 2 where the length asks for it, each from one buffer to the other.
// `Group` says which thread of how many this is, and how they wait for each other.
//   twiddles[k] = e^(−2πi k / (2 · length)), k = 0 … 2 · length − 1: those of the real signal of twice the length.
#pragma once
#include "common/prelude.cuh"

namespace fft {

struct WarpGroup {
  __device__ __forceinline__ int thread() const { return threadIdx.x % WARP; }
  __device__ __forceinline__ int threads() const { return WARP; }
  __device__ __forceinline__ void wait() const { __syncwarp(); }
};

struct BlockGroup {
  __device__ __forceinline__ int thread() const { return threadIdx.x; }
  __device__ __forceinline__ int threads() const { return blockDim.x; }
  __device__ __forceinline__ void wait() const { __syncthreads(); }
};

__device__ __forceinline__ float2 add(float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); }
__device__ __forceinline__ float2 subtract(float2 a, float2 b) { return make_float2(a.x - b.x, a.y - b.y); }
__device__ __forceinline__ float2 multiply(float2 a, float2 b) { return make_float2(fmaf(a.x, b.x, -(a.y * b.y)), fmaf(a.x, b.y, a.y * b.x)); }

// Transforms `length` numbers of `from`, which must be complete for all threads; `other` is as large. Returns where the result lies, complete
// for all threads; the other buffer is free then.
template <typename Group>
__device__ __forceinline__ float2* transform(Group group, float2* from, float2* other, int length, const float2* __restrict__ twiddles) {
  for (int done = 1; done < length;) {
    // `done` is the length of the finished sub-transforms; e^(−2πi k / (radix · done)) is twiddles[k · 2 · length / (radix · done)].
    if (length / done >= 4) {
      int quarter = length / 4, step = length / (2 * done);
      for (int i = group.thread(); i < quarter; i += group.threads()) {
        int k = i & (done - 1);
        float2 a = from[i], b = from[i + quarter], c = from[i + 2 * quarter], d = from[i + 3 * quarter];
        if (k != 0) {
          b = multiply(b, twiddles[k * step]);
          c = multiply(c, twiddles[2 * k * step]);
          d = multiply(d, twiddles[3 * k * step]);
        }
        float2 sum_ac = add(a, c), difference_ac = subtract(a, c), sum_bd = add(b, d), difference_bd = subtract(b, d);
        float2* to = other + 4 * (i - k) + k;
        to[0] = add(sum_ac, sum_bd);
        to[done] = make_float2(difference_ac.x + difference_bd.y, difference_ac.y - difference_bd.x);
        to[2 * done] = subtract(sum_ac, sum_bd);
        to[3 * done] = make_float2(difference_ac.x - difference_bd.y, difference_ac.y + difference_bd.x);
      }
      done *= 4;
    } else {
      int half = length / 2, step = length / done;
      for (int i = group.thread(); i < half; i += group.threads()) {
        int k = i & (done - 1);
        float2 a = from[i], b = multiply(from[i + half], twiddles[k * step]);
        float2* to = other + 2 * (i - k) + k;
        to[0] = add(a, b);
        to[done] = subtract(a, b);
      }
      done *= 2;
    }
    group.wait();
    float2* result = other;
    other = from;
    from = result;
  }
  return from;
}

// Frequency k, 0 to half, of the 2 · half real numbers that were transformed as half complex ones z[m] = x[2m] + i x[2m + 1].
// E and O, the transforms of the even and the odd samples, are ½ (Z[k] ± conj Z[half − k]), O also times −i; X[k] = E + w^k O.
__device__ __forceinline__ float2 real_frequency(const float2* z, int half, int k, const float2* __restrict__ twiddles) {
  float2 x = z[k & (half - 1)], y = z[(half - k) & (half - 1)];
  float2 even = make_float2(0.5f * (x.x + y.x), 0.5f * (x.y - y.y));
  float2 odd = make_float2(0.5f * (x.y + y.y), -0.5f * (x.x - y.x));
  return add(even, multiply(odd, twiddles[k]));
}

// The way back: Z[k] of the complex signal from the frequencies of the real one, k = 0 to half − 1.
// O = ½ conj(w^k) (X[k] − conj X[half − k]), Z[k] = E + i O.
__device__ __forceinline__ float2 packed_frequency(float2 x, float2 mirrored, float2 twiddle) {
  float2 even = make_float2(0.5f * (x.x + mirrored.x), 0.5f * (x.y - mirrored.y));
  float2 difference = make_float2(0.5f * (x.x - mirrored.x), 0.5f * (x.y + mirrored.y));
  float2 odd = multiply(difference, make_float2(twiddle.x, -twiddle.y));
  return make_float2(even.x - odd.y, even.y + odd.x);
}

}  // namespace fft
