// The few names of cuBLAS that the project uses for comparison. Scalars are host pointers, read at the call.
#include "driver_api.h"
#include "matrix_product.h"

using namespace emulator;

namespace {

enum BlasStatus { BlasSuccess = 0, BlasNotInitialized = 1, BlasInvalidValue = 7, BlasExecutionFailed = 13, BlasNotSupported = 15 };

constexpr int BLAS_VERSION = 120400;
constexpr int REAL_FLOAT32 = 0, REAL_BFLOAT16 = 14;
constexpr int COMPUTE_FLOAT32 = 68, COMPUTE_FLOAT32_PEDANTIC = 69, COMPUTE_FLOAT32_FAST_BFLOAT16 = 75, COMPUTE_FLOAT32_FAST_TF32 = 77;
constexpr int MATH_TF32 = 3;

struct Blas {
  void* stream = nullptr;
  int math_mode = 0;
};

bool element_kind(int type, ElementKind* kind) {
  *kind = type == REAL_BFLOAT16 ? ElementKind::BFloat16 : ElementKind::Float32;
  return type == REAL_FLOAT32 || type == REAL_BFLOAT16;
}

int submit(Blas* blas, const MatrixProduct& product) {
  if (const char* why = check_product(product)) {
    fail(InvalidValue, std::string("matrix product: ") + why);
    return BlasInvalidValue;
  }
  int status = on_stream(blas->stream, [&](Stream& stream) {
    return stream.submit(LibraryCall{[product] {
      run_product(product);
      return Success;
    }});
  });
  return status == Success ? BlasSuccess : BlasExecutionFailed;
}

}  // namespace

DRIVER_API cublasCreate_v2(void** handle) {
  *handle = new Blas;
  return BlasSuccess;
}

DRIVER_API cublasDestroy_v2(void* handle) {
  delete static_cast<Blas*>(handle);
  return BlasSuccess;
}

DRIVER_API cublasSetStream_v2(void* handle, void* stream) {
  static_cast<Blas*>(handle)->stream = stream;
  return BlasSuccess;
}

DRIVER_API cublasSetWorkspace_v2(void*, void*, size_t) { return BlasSuccess; }

DRIVER_API cublasSetMathMode(void* handle, int mode) {
  static_cast<Blas*>(handle)->math_mode = mode;
  return BlasSuccess;
}

DRIVER_API cublasGetVersion_v2(void*, int* version) {
  *version = BLAS_VERSION;
  return BlasSuccess;
}

DRIVER_API cublasGemmStridedBatchedEx(void* handle, int transpose_a, int transpose_b, int rows, int columns, int depth,
                                      const void* alpha, const void* a, int type_a, int leading_a, long long stride_a, const void* b,
                                      int type_b, int leading_b, long long stride_b, const void* beta, void* c,
                                      int type_c, int leading_c, long long stride_c, int batch, int compute, int) {
  if (handle == nullptr) return BlasNotInitialized;
  auto* blas = static_cast<Blas*>(handle);
  ElementKind kind_a, kind_b, kind_c;
  if (!element_kind(type_a, &kind_a) || !element_kind(type_b, &kind_b) || !element_kind(type_c, &kind_c) || kind_a != kind_b) {
    return BlasNotSupported;
  }
  InputRounding rounding;
  switch (compute) {
    case COMPUTE_FLOAT32: rounding = blas->math_mode == MATH_TF32 ? InputRounding::Tf32 : InputRounding::None; break;
    case COMPUTE_FLOAT32_PEDANTIC: rounding = InputRounding::None; break;
    case COMPUTE_FLOAT32_FAST_TF32: rounding = InputRounding::Tf32; break;
    case COMPUTE_FLOAT32_FAST_BFLOAT16: rounding = InputRounding::BFloat16; break;
    default: return BlasNotSupported;
  }
  return submit(blas, {rows, columns, depth, batch, *static_cast<const float*>(alpha), *static_cast<const float*>(beta),
                       {reinterpret_cast<uint64_t>(a), kind_a, leading_a, stride_a, transpose_a != 0},
                       {reinterpret_cast<uint64_t>(b), kind_b, leading_b, stride_b, transpose_b != 0},
                       {reinterpret_cast<uint64_t>(c), kind_c, leading_c, stride_c, false},
                       rounding});
}

DRIVER_API cublasGemmEx(void* handle, int transpose_a, int transpose_b, int rows, int columns, int depth, const void* alpha, const void* a,
                        int type_a, int leading_a, const void* b, int type_b, int leading_b, const void* beta, void* c, int type_c,
                        int leading_c, int compute, int algorithm) {
  return cublasGemmStridedBatchedEx(handle, transpose_a, transpose_b, rows, columns, depth, alpha, a, type_a, leading_a, 0, b, type_b,
                                    leading_b, 0, beta, c, type_c, leading_c, 0, 1, compute, algorithm);
}

DRIVER_API cublasSgemm_v2(void* handle, int transpose_a, int transpose_b, int rows, int columns, int depth, const float* alpha,
                          const float* a, int leading_a, const float* b, int leading_b, const float* beta, float* c, int leading_c) {
  return cublasGemmEx(handle, transpose_a, transpose_b, rows, columns, depth, alpha, a, REAL_FLOAT32, leading_a, b, REAL_FLOAT32, leading_b,
                      beta, c, REAL_FLOAT32, leading_c, COMPUTE_FLOAT32, -1);
}
