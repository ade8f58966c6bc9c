// Philox4x32-10 (Salmon et al., SC 2011) and normal numbers from it; the bits are those of Numerics/Philox.cs and Ops/Features/FrameDither.cs.
#pragma once
#include "common/prelude.cuh"

__device__ __forceinline__ void philox(uint64_t seed, uint32_t (&counter)[4]) {
  uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    uint64_t product0 = uint64_t(0xD2511F53u) * counter[0], product1 = uint64_t(0xCD9E8D57u) * counter[2];
    uint32_t c0 = uint32_t(product1 >> 32) ^ counter[1] ^ key0, c2 = uint32_t(product0 >> 32) ^ counter[3] ^ key1;
    counter[0] = c0;
    counter[1] = uint32_t(product1);
    counter[2] = c2;
    counter[3] = uint32_t(product0);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

// Two independent N(0, 1) numbers by Box and Muller; 24 random bits each, the radius' uniform in (0, 1].
__device__ __forceinline__ float2 normal_pair(uint32_t word0, uint32_t word1) {
  constexpr float UNIT = 1.0f / 16777216.0f;
  float radius = sqrtf(-2.0f * logf(float((word0 >> 8) + 1) * UNIT));
  float sine, cosine;
  sincosf(float(word1 >> 8) * (6.28318530717958648f * UNIT), &sine, &cosine);
  return make_float2(radius * cosine, radius * sine);
}
