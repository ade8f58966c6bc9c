// Mathematics that C's library lacks or names otherwise. The fast intrinsics are exact here: tests need tolerances anyway.
#pragma once

#include <math.h>
#include <type_traits>

namespace emulator {

// Keeps the compiler from contracting a product and a sum that the kernel asked to round separately.
inline float rounded(float value) {
  __asm__("" : "+x"(value));
  return value;
}
inline double rounded(double value) {
  __asm__("" : "+x"(value));
  return value;
}

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float sinpif(float x) { return static_cast<float>(sin(M_PI * fmod(static_cast<double>(x), 2.0))); }
inline float cospif(float x) { return static_cast<float>(cos(M_PI * fmod(static_cast<double>(x), 2.0))); }
inline double sinpi(double x) { return sin(M_PI * fmod(x, 2.0)); }
inline double cospi(double x) { return cos(M_PI * fmod(x, 2.0)); }
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = sinpif(x);
  *cosine = cospif(x);
}
inline void sincospi(double x, double* sine, double* cosine) {
  *sine = sinpi(x);
  *cosine = cospi(x);
}

}  // namespace emulator

// Macros: newer C libraries declare some of these names themselves.
#define rsqrtf ::emulator::rsqrtf
#define rsqrt ::emulator::rsqrt
#define sinpif ::emulator::sinpif
#define cospif ::emulator::cospif
#define sinpi ::emulator::sinpi
#define cospi ::emulator::cospi
#define sincospif ::emulator::sincospif
#define sincospi ::emulator::sincospi

inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10.0f, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline void __sincosf(float x, float* sine, float* cosine) {
  *sine = sinf(x);
  *cosine = cosf(x);
}
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

inline float __fadd_rn(float a, float b) { return emulator::rounded(emulator::rounded(a) + emulator::rounded(b)); }
inline float __fsub_rn(float a, float b) { return emulator::rounded(emulator::rounded(a) - emulator::rounded(b)); }
inline float __fmul_rn(float a, float b) { return emulator::rounded(a * b); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fdiv_rn(float a, float b) { return emulator::rounded(a / b); }
inline float __frcp_rn(float x) { return emulator::rounded(1.0f / x); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return static_cast<float>(1.0 / sqrt(static_cast<double>(x))); }
inline double __dadd_rn(double a, double b) { return emulator::rounded(emulator::rounded(a) + emulator::rounded(b)); }
inline double __dsub_rn(double a, double b) { return emulator::rounded(emulator::rounded(a) - emulator::rounded(b)); }
inline double __dmul_rn(double a, double b) { return emulator::rounded(a * b); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline double __ddiv_rn(double a, double b) { return emulator::rounded(a / b); }
inline double __dsqrt_rn(double x) { return sqrt(x); }

inline int __float2int_rn(float x) { return static_cast<int>(nearbyintf(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline int __float2int_rd(float x) { return static_cast<int>(floorf(x)); }
inline int __float2int_ru(float x) { return static_cast<int>(ceilf(x)); }
inline unsigned __float2uint_rn(float x) { return static_cast<unsigned>(nearbyintf(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return static_cast<double>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline int __double2int_rn(double x) { return static_cast<int>(nearbyint(x)); }
inline long long __double2ll_rn(double x) { return static_cast<long long>(nearbyint(x)); }
inline long long __float2ll_rn(float x) { return static_cast<long long>(nearbyintf(x)); }

// CUDA's min and max take mixed arithmetic types; with a NaN the other value wins.
template <typename A, typename B>
inline std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  T x = static_cast<T>(a), y = static_cast<T>(b);
  if constexpr (std::is_floating_point_v<T>) return x != x ? y : (y < x ? y : x);
  return y < x ? y : x;
}

template <typename A, typename B>
inline std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  T x = static_cast<T>(a), y = static_cast<T>(b);
  if constexpr (std::is_floating_point_v<T>) return x != x ? y : (y > x ? y : x);
  return y > x ? y : x;
}
