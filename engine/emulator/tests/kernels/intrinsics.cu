// One value of each intrinsic, checked on the host.
#include "common/prelude.cuh"

__device__ __constant__ double third = 1.0 / 3.0;

KERNEL emulator_test_intrinsics(double* __restrict__ out) {
  int i = 0;
  auto put = [&](double value) { out[i++] = value; };
  put(__umulhi(0x80000000u, 6u));                        // 3
  put(__brev(1u));                                       // 2147483648
  put(__clz(1));                                         // 31
  put(__ffs(8));                                         // 4
  put(__popc(0xf0fu));                                   // 8
  put(__byte_perm(0x33221100u, 0x77665544u, 0x7410u));   // 0x77441100
  put(__funnelshift_l(0x80000000u, 1u, 1u));             // 3
  put(__float_as_int(1.0f));                             // 0x3f800000
  put(__uint_as_float(0x40000000u));                     // 2
  put(__longlong_as_double(__double_as_longlong(third)));
  put(__shfl_sync(FULL_WARP, third, 0));
  put(static_cast<double>(__shfl_xor_sync(FULL_WARP, 1ll << 40, 0)));
  put(sinpif(0.5f));                                     // 1
  put(cospif(1.0f));                                     // -1
  put(rsqrtf(4.0f));                                     // 0.5
  put(exp2f(3.0f));                                      // 8
  put(erff(0.0f));                                       // 0
  put(tanhf(0.0f));                                      // 0
  put(min(3, 2u));                                       // 2
  put(max(1.5f, 2));                                     // 2
  put(max(__int_as_float(0x7fc00000), 1.0f));            // 1
  put(isnan(__int_as_float(0x7fc00000)) && isinf(__int_as_float(0x7f800000)));
  float sine, cosine;
  sincosf(0.0f, &sine, &cosine);
  put(sine + cosine);                                    // 1
  put(__fmaf_rn(2.0f, 3.0f, 1.0f));                      // 7
  put(__fsqrt_rn(9.0f));                                 // 3
  // A product that is rounded by itself: 1 + 2^-11 + 2^-24 loses its last bit, the fused form keeps it.
  float x = 1.0f + 1.0f / 4096.0f;
  put(__fadd_rn(__fmul_rn(x, x), -(1.0f + 1.0f / 2048.0f)));  // 0
  put(__fmaf_rn(x, x, -(1.0f + 1.0f / 2048.0f)) > 0.0f);      // 1
  float f = 1.0f;
  double d = 2.0;
  unsigned long long u = 5;
  put(atomicAdd(&f, 2) + f);                             // 4
  put(atomicAdd(&d, 0.5) + d);                           // 4.5
  put(static_cast<double>(atomicCAS(&u, 5, 9) + u));     // 14
  put(static_cast<double>(atomicExch(&u, 1) + u));       // 10
  put(static_cast<double>(atomicOr(&u, 6) + u));         // 8
  put(__reduce_max_sync(FULL_WARP, 3));                  // 3
  put(__any_sync(FULL_WARP, 1) && !__all_sync(FULL_WARP, 0));  // 1
  float4 vector = make_float4(1.0f, 2.0f, 3.0f, 4.0f);
  put(vector.w);                                         // 4
  put(__float2int_rn(2.5f));                             // 2
}
EXPORT_KERNEL(emulator_test_intrinsics)
