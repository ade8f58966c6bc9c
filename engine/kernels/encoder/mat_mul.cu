// Matrix products over views: what MatMul, Linear and Conv1d (an implicit product over windows) run forward and backward. See
// common/gemm.cuh for the method, its work and traffic, common/tile_loader.cuh for operands.
//
// One kernel for each arithmetic, tile (Tile × Tile of C by a block of 2 · Tile threads) and order in memory: n, the rows of A's view run
// along k, those of B's along C's columns; t, the transpose of that. Grid (tiles of C, splits of k).
#include "common/gemm.cuh"

// 512 threads must fit a multiprocessor: at least two blocks of the large tile, so that one computes while another waits.
#define PRODUCT(name, Arithmetic, k_major_a, k_major_b, tile)                                                                     \
  extern "C" __global__ void __launch_bounds__(2 * tile, 256 / tile)                                                              \
  name(const MatrixView a, const MatrixView b, float* __restrict__ c, int c_stride, int m, int n, int k,                          \
       const ProductEpilogue epilogue, int accumulate, int k_each) {                                                              \
    gemm::multiply<gemm::Arithmetic, k_major_a, k_major_b, tile>(a, b, c, c_stride, m, n, k, epilogue, accumulate, k_each);       \
  }                                                                                                                               \
  EXPORT_KERNEL(name)

#define PRODUCTS(stem, Arithmetic, tile)             \
  PRODUCT(stem##_nn, Arithmetic, true, false, tile)  \
  PRODUCT(stem##_nt, Arithmetic, true, true, tile)   \
  PRODUCT(stem##_tn, Arithmetic, false, false, tile) \
  PRODUCT(stem##_tt, Arithmetic, false, true, tile)

PRODUCTS(mat_mul_fp32_128, Fp32, 128)
PRODUCTS(mat_mul_fp32_64, Fp32, 64)
PRODUCTS(mat_mul_tf32_128, Tf32, 128)
PRODUCTS(mat_mul_tf32_64, Tf32, 64)
PRODUCTS(mat_mul_bf16_128, Bf16, 128)
PRODUCTS(mat_mul_bf16_64, Bf16, 64)

// c (+)= the parts [splits, m, n] added in order, then the epilogue. One thread an element; reads 4 · m · n (splits + accumulate) bytes.
KERNEL_BOUNDS(256)
mat_mul_add_splits(const float* __restrict__ parts, int splits, float* __restrict__ c, int c_stride, int m, int n,
                   const ProductEpilogue epilogue, int accumulate) {
  int64_t index = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, count = int64_t(m) * n;
  if (index >= count) return;
  float sum = 0.0f;
  for (int split = 0; split < splits; split++) sum += parts[split * count + index];
  int row = int(index / n), column = int(index % n);
  sum = epilogue.biased(sum, column);
  float* element = c + int64_t(row) * c_stride + column;
  *element = epilogue.finished(accumulate != 0 ? *element + sum : sum, column);
}
EXPORT_KERNEL(mat_mul_add_splits)
