// Matrix products in cuBLAS's column-major convention.
#include "testing.h"

#include <string.h>

using namespace testing;

namespace {

constexpr int FLOAT32 = 0, BFLOAT16 = 14, COMPUTE_FLOAT32 = 68, MATH_TF32 = 3;
constexpr int ROWS = 5, COLUMNS = 7, DEPTH = 6;

class BlasHandle {
 public:
  BlasHandle() { EXPECT(cublasCreate_v2(&value) == 0); }
  ~BlasHandle() { cublasDestroy_v2(value); }
  void* value = nullptr;
};

float* pointer(const DeviceArray<>& array) { return reinterpret_cast<float*>(array.address()); }

// Column-major op(A) op(B) by the definition.
std::vector<float> product(const std::vector<float>& a, bool transpose_a, const std::vector<float>& b, bool transpose_b) {
  std::vector<float> c(ROWS * COLUMNS);
  for (int i = 0; i < ROWS; i++) {
    for (int j = 0; j < COLUMNS; j++) {
      double sum = 0.0;
      for (int k = 0; k < DEPTH; k++) {
        const double left = transpose_a ? a[i * DEPTH + k] : a[k * ROWS + i];
        sum += left * (transpose_b ? b[k * COLUMNS + j] : b[j * DEPTH + k]);
      }
      c[j * ROWS + i] = static_cast<float>(sum);
    }
  }
  return c;
}

uint16_t bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>(bits >> 16);
}

}  // namespace

TEST(cublas_sgemm) {
  BlasHandle blas;
  const auto a = normal_values(ROWS * DEPTH, 1), b = normal_values(DEPTH * COLUMNS, 2);
  DeviceArray<> left(a), right(b), out(ROWS * COLUMNS);
  for (int form = 0; form < 4; form++) {
    const bool ta = form & 1, tb = form & 2;
    const float one = 1.0f, zero = 0.0f, half = 0.5f;
    const auto multiply = [&](const float* alpha, const float* beta) {
      return cublasSgemm_v2(blas.value, ta, tb, ROWS, COLUMNS, DEPTH, alpha, pointer(left), ta ? DEPTH : ROWS, pointer(right),
                            tb ? COLUMNS : DEPTH, beta, pointer(out), ROWS);
    };
    EXPECT(multiply(&one, &zero) == 0);
    EXPECT(difference(out.read(), product(a, ta, b, tb)) < 1e-5);
    EXPECT(multiply(&half, &half) == 0);
    EXPECT(difference(out.read(), product(a, ta, b, tb)) < 1e-5);
    EXPECT(cublasSgemm_v2(blas.value, ta, tb, ROWS, COLUMNS + 1, DEPTH, &one, pointer(left), ta ? DEPTH : ROWS, pointer(right),
                          tb ? COLUMNS : DEPTH, &zero, pointer(out), ROWS) == 7);
  }
  const float one = 1.0f, zero = 0.0f;
  EXPECT(cublasSetMathMode(blas.value, MATH_TF32) == 0);
  EXPECT(cublasSgemm_v2(blas.value, 0, 0, ROWS, COLUMNS, DEPTH, &one, pointer(left), ROWS, pointer(right), DEPTH, &zero, pointer(out),
                        ROWS) == 0);
  const double error = difference(out.read(), product(a, false, b, false));
  EXPECT(error > 1e-6 && error < 1e-2);
}

TEST(cublas_batches_of_bf16) {
  BlasHandle blas;
  const int batch = 3;
  auto a = normal_values(ROWS * DEPTH * batch, 1), b = normal_values(DEPTH * COLUMNS, 2);
  std::vector<uint16_t> a16, b16;
  for (auto* each : {&a, &b}) {
    for (float& value : *each) {
      const uint16_t bits = bf16(value);
      const uint32_t wide = static_cast<uint32_t>(bits) << 16;
      memcpy(&value, &wide, sizeof value);
      (each == &a ? a16 : b16).push_back(bits);
    }
  }
  DeviceArray<uint16_t> left(a16), right(b16);
  DeviceArray<> out(ROWS * COLUMNS * batch);
  const float one = 1.0f, zero = 0.0f;
  EXPECT(cublasGemmStridedBatchedEx(blas.value, 0, 0, ROWS, COLUMNS, DEPTH, &one, reinterpret_cast<void*>(left.address()), BFLOAT16, ROWS,
                                    ROWS * DEPTH, reinterpret_cast<void*>(right.address()), BFLOAT16, DEPTH, 0, &zero, pointer(out),
                                    FLOAT32, ROWS, ROWS * COLUMNS, batch, COMPUTE_FLOAT32, -1) == 0);
  const auto got = out.read();
  for (int i = 0; i < batch; i++) {
    const std::vector<float> one_a(a.begin() + i * ROWS * DEPTH, a.begin() + (i + 1) * ROWS * DEPTH);
    const std::vector<float> one_c(got.begin() + i * ROWS * COLUMNS, got.begin() + (i + 1) * ROWS * COLUMNS);
    EXPECT(difference(one_c, product(one_a, false, b, false)) < 1e-5);
  }
}
