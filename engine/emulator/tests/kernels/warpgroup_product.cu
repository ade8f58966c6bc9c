// C [64, 128] = A [64, 64] B [64, 128] / 64 by one warpgroup, in all orders of the operands in shared memory, and with planted faults.
#include "common/wgmma.cuh"

namespace {

constexpr int ROWS = 64, COLUMNS = 128, DEPTH = 64;

enum Fault { NONE, MISSING_WAIT, OVERWRITTEN, MISSING_FENCE, MISPLACED, OUTSIDE };

// Where element i across k, k along it lies in a tile.
template <bool Across>
__device__ unsigned place(int i, int k) {
  return swizzled(Across ? i / 64 * 64 * SWIZZLE_LINE + k * SWIZZLE_LINE + i % 64 * 2 : i * SWIZZLE_LINE + k * 2);
}

template <bool AcrossA, bool AcrossB, Fault Planted>
__device__ void warpgroup_product(const float* a, const float* b, float* c) {
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* tile_a = memory + (-shared_address(memory) & (SWIZZLE_ALIGNMENT - 1));
  unsigned char* tile_b = tile_a + ROWS * SWIZZLE_LINE;
  for (int i = threadIdx.x; i < ROWS * DEPTH; i += blockDim.x) {
    *reinterpret_cast<uint16_t*>(tile_a + place<AcrossA>(i / DEPTH, i % DEPTH)) = uint16_t(pack_bf16(a[i], 0.0f));
  }
  for (int i = threadIdx.x; i < DEPTH * COLUMNS; i += blockDim.x) {
    *reinterpret_cast<uint16_t*>(tile_b + place<AcrossB>(i % COLUMNS, i / COLUMNS)) = uint16_t(pack_bf16(b[i], 0.0f));
  }
  fence_for_tensor_cores();
  __syncthreads();
  float sums[COLUMNS / 2] = {};
  if (Planted != MISSING_FENCE) wgmma_fence();
  unsigned at_a = shared_address(tile_a), at_b = shared_address(tile_b);
  if (Planted == MISPLACED) at_a += SWIZZLE_LINE;
  if (Planted == OUTSIDE) at_b += 8 * 64 * SWIZZLE_LINE;
  for (int step = 0; step < DEPTH / 16; step++) {
    uint64_t of_a = operand_descriptor(at_a + step * (AcrossA ? 16 * SWIZZLE_LINE : 32), 64 * SWIZZLE_LINE, 8 * SWIZZLE_LINE);
    uint64_t of_b = operand_descriptor(at_b + step * (AcrossB ? 16 * SWIZZLE_LINE : 32), 64 * SWIZZLE_LINE, 8 * SWIZZLE_LINE);
    wgmma_bf16<AcrossA, AcrossB>(sums, of_a, of_b);
  }
  wgmma_commit();
  if (Planted == OVERWRITTEN) tile_b[threadIdx.x] ^= 1;
  if (Planted != MISSING_WAIT) wgmma_finish(sums);
  int row = threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4;
  for (int i = 0; i < COLUMNS / 2; i++) {
    int column = i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2;
    c[(row + i % 4 / 2 * 8) * COLUMNS + column] = sums[i] / DEPTH;
  }
}

}  // namespace

#define PRODUCT(name, across_a, across_b, fault)                                                                        \
  KERNEL emulator_test_warpgroup_##name(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c) { \
    warpgroup_product<across_a, across_b, fault>(a, b, c);                                                              \
  }                                                                                                                     \
  EXPORT_KERNEL(emulator_test_warpgroup_##name)

PRODUCT(nn, false, true, NONE)
PRODUCT(nt, false, false, NONE)
PRODUCT(tn, true, true, NONE)
PRODUCT(tt, true, false, NONE)
PRODUCT(missing_wait, false, true, MISSING_WAIT)
PRODUCT(overwritten, false, true, OVERWRITTEN)
PRODUCT(missing_fence, false, true, MISSING_FENCE)
PRODUCT(misplaced, false, true, MISPLACED)
PRODUCT(outside, false, false, OUTSIDE)

KERNEL emulator_test_operand_descriptor(unsigned address, unsigned block_bytes, unsigned group_bytes, uint64_t* descriptor) {
  *descriptor = operand_descriptor(address, block_bytes, group_bytes);
}
EXPORT_KERNEL(emulator_test_operand_descriptor)
