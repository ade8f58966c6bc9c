// Tensor-core products of a warp, the rounding of their operands, matrix loads and asynchronous copies. The only place with inline PTX;
// the emulator has its own bodies under the same names.
//
// Fragment layouts (PTX ISA, mma.m16n8k16 for bf16 and mma.m16n8k8 for tf32), with g = lane / 4 and t = lane % 4, where a unit along k is
// one tf32 number or one pair of bf16 numbers:
//   a[0] (row g, unit t)   a[1] (row g + 8, unit t)   a[2] (row g, unit t + 4)   a[3] (row g + 8, unit t + 4)
//   b[0] (unit t, column g)                           b[1] (unit t + 4, column g)
//   d[0] (row g, column 2t)   d[1] (row g, column 2t + 1)   d[2], d[3] the same in row g + 8
#pragma once
#include "common/prelude.cuh"

#ifdef SPK_EMULATOR
#include "emulated_tensor_core.h"
#else

__device__ __forceinline__ unsigned shared_address(const void* pointer) { return static_cast<unsigned>(__cvta_generic_to_shared(pointer)); }

// To the nearest number with 10 bits of mantissa; the hardware would cut the lower bits off, which is biased.
__device__ __forceinline__ uint32_t round_to_tf32(float value) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

// Two numbers rounded to bf16, `low` in the lower half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

__device__ __forceinline__ void mma_bf16_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void mma_tf32_1688(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8 × 8 matrices of 16-bit elements: lanes 8i … 8i + 7 pass the addresses of the rows of matrix i, 16 aligned bytes each. A lane gets
// units t of row g of every matrix in order.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&values)[4], const void* row) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
      : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3])
      : "r"(shared_address(row))
      : "memory");
}

// The same with every matrix transposed.
__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t (&values)[4], const void* row) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
      : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3])
      : "r"(shared_address(row))
      : "memory");
}

// Copies 16 aligned bytes to shared memory, there after commit and wait; zeros where not inside (`global` is then not read).
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(inside ? 16 : 0) : "memory");
}

__device__ __forceinline__ void copy_async_4(void* shared, const void* global, bool inside) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(inside ? 4 : 0) : "memory");
}

__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for all of the thread's groups but the newest `Keep`.
template <int Keep>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Keep) : "memory");
}

#endif
