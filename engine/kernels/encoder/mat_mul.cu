// Matrix products over views, in three arithmetics and four orders of memory: what MatMul, Linear and Conv1d (an implicit product over
// windows) run forward and backward. See common/gemm.cuh for the tile; 2·m·n·k operations on 4 (m·k + k·n + m·n) bytes.
//
// Grid (m / 128, n / 64, splits), block 256. The letters say how the views lie: n, rows of the view run along k; t, across it.
#include "common/gemm.cuh"

#define PRODUCT(suffix, arithmetic, transposed_a, transposed_b)                                                                     \
  KERNEL_BOUNDS(gemm::THREADS)                                                                                                      \
  mat_mul_##suffix(const MatrixView a, const MatrixView b, float* __restrict__ c, int c_stride, int m, int n, int k,                \
                   const float* __restrict__ bias, int accumulate, int k_each) {                                                    \
    gemm::multiply<gemm::arithmetic, transposed_a, transposed_b>(a, b, c, c_stride, m, n, k, bias, accumulate, k_each);             \
  }                                                                                                                                 \
  EXPORT_KERNEL(mat_mul_##suffix)

PRODUCT(fp32_nn, FP32, false, false)
PRODUCT(fp32_nt, FP32, false, true)
PRODUCT(fp32_tn, FP32, true, false)
PRODUCT(fp32_tt, FP32, true, true)
PRODUCT(tf32_nn, TF32, false, false)
PRODUCT(tf32_nt, TF32, false, true)
PRODUCT(tf32_tn, TF32, true, false)
PRODUCT(tf32_tt, TF32, true, true)
PRODUCT(bf16_nn, BF16, false, false)
PRODUCT(bf16_nt, BF16, false, true)
PRODUCT(bf16_tn, BF16, true, false)
PRODUCT(bf16_tt, BF16, true, true)

// c (+)= the parts [splits, m, n] added in order. One thread an element.
KERNEL_BOUNDS(256)
mat_mul_add_splits(const float* __restrict__ parts, int splits, float* __restrict__ c, int c_stride, int m, int n, const float* __restrict__ bias,
                   int accumulate) {
  int64_t index = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, count = int64_t(m) * n;
  if (index >= count) return;
  float sum = 0.0f;
  for (int split = 0; split < splits; split++) sum += parts[split * count + index];
  int row = int(index / n), column = int(index % n);
  if (bias != nullptr) sum += bias[column];
  float* element = c + int64_t(row) * c_stride + column;
  *element = accumulate != 0 ? *element + sum : sum;
}
EXPORT_KERNEL(mat_mul_add_splits)
