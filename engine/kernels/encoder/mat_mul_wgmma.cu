// Large bf16 matrix products on compute capability 9.0: operands are rounded once, to copies in the order of the originals, which Hopper's
// tensor cores then multiply. See common/gemm_wgmma.cuh, and common/gemm_bulk.cuh for those whose tiles the copy engine brings. The products exist where
// HAS_SM90A is set, see common/wgmma.cuh.
#include "common/gemm_bulk.cuh"

namespace {

// What lies under a view, one row of `segment_width` for each outer index and position, rounded to bf16 and padded to a multiple of 8 by zeros.
__device__ __forceinline__ void round_rows(const MatrixView& view, uint16_t* copy) {
  int units = divide_up(view.segment_width, 8);
  int64_t index = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  int64_t row = index / units;
  int outer = int(row / view.positions), position = int(row - int64_t(outer) * view.positions), column = int(index - row * units) * 8;
  if (outer >= divide_up(view.rows, view.inner)) return;
  const float* from = view.data + int64_t(outer) * view.outer_stride + int64_t(position) * view.row_stride + column;
  float values[8];
  if (view.by_fours() && column + 8 <= view.segment_width) {
    float4 low = *reinterpret_cast<const float4*>(from), high = *reinterpret_cast<const float4*>(from + 4);
    values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
    values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
  } else {
#pragma unroll
    for (int e = 0; e < 8; e++) values[e] = column + e < view.segment_width ? from[e] : 0.0f;
  }
  reinterpret_cast<uint4*>(copy)[index] = make_uint4(
      pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]), pack_bf16(values[4], values[5]), pack_bf16(values[6], values[7]));
}

}  // namespace

// Both operands of a product: grid (units of 8 elements of the larger copy / 256, 2). Reads 4 and writes 2 bytes an element.
KERNEL_BOUNDS(256)
mat_mul_wgmma_round(const MatrixView a, uint16_t* __restrict__ copy_of_a, const MatrixView b, uint16_t* __restrict__ copy_of_b) {
  if (blockIdx.y == 0) {
    round_rows(a, copy_of_a);
  } else {
    round_rows(b, copy_of_b);
  }
}
EXPORT_KERNEL(mat_mul_wgmma_round)

#ifdef HAS_WGMMA
// 128 × columns of C by 256 threads; blocks: of a multiprocessor, as registers and shared memory allow. Orders as in mat_mul.cu.
#define PRODUCT(name, k_major_a, k_major_b, columns, stages, blocks)                                                                          \
  extern "C" __global__ void __launch_bounds__(256, blocks)                                                                                   \
  name(const MatrixView a, const MatrixView b, float* __restrict__ c, int c_stride, int m, int n, int k, const ProductEpilogue epilogue,      \
       int accumulate, int k_each) {                                                                                                          \
    gemm::multiply_on_warpgroups<k_major_a, k_major_b, columns, stages>(a, b, c, c_stride, m, n, k, epilogue, accumulate, k_each);            \
  }                                                                                                                                           \
  EXPORT_KERNEL(name)

#define PRODUCTS(stem, columns, stages, blocks)             \
  PRODUCT(stem##_nn, true, false, columns, stages, blocks)  \
  PRODUCT(stem##_nt, true, true, columns, stages, blocks)   \
  PRODUCT(stem##_tn, false, false, columns, stages, blocks) \
  PRODUCT(stem##_tt, false, true, columns, stages, blocks)

PRODUCTS(mat_mul_wgmma_128, 128, 3, 2)
PRODUCTS(mat_mul_wgmma_256, 256, 4, 1)

// The same by 288 threads. Maps and boxes: see common/gemm_bulk.cuh.
#define BULK_PRODUCT(name, k_major_a, k_major_b, columns, stages, blocks)                                                                     \
  extern "C" __global__ void __launch_bounds__(288, blocks)                                                                                   \
  name(const __grid_constant__ TensorMap map_a, const MatrixView a, int box_rows_a, const __grid_constant__ TensorMap map_b,                  \
       const MatrixView b, int box_rows_b, float* __restrict__ c, int c_stride, int m, int n, int k, const ProductEpilogue epilogue,          \
       int accumulate, int k_each) {                                                                                                          \
    gemm::multiply_bulk_copied<k_major_a, k_major_b, columns, stages>(                                                                        \
        map_a, a, box_rows_a, map_b, b, box_rows_b, c, c_stride, m, n, k, epilogue, accumulate, k_each);                                      \
  }                                                                                                                                           \
  EXPORT_KERNEL(name)

#define BULK_PRODUCTS(stem, columns, stages, blocks)             \
  BULK_PRODUCT(stem##_nn, true, false, columns, stages, blocks)  \
  BULK_PRODUCT(stem##_nt, true, true, columns, stages, blocks)   \
  BULK_PRODUCT(stem##_tn, false, false, columns, stages, blocks) \
  BULK_PRODUCT(stem##_tt, false, true, columns, stages, blocks)

BULK_PRODUCTS(mat_mul_wgmma_128_bulk, 128, 3, 2)
BULK_PRODUCTS(mat_mul_wgmma_256_bulk, 256, 4, 1)
#endif
