// The warp-collective primitives of common/tensor_core.cuh: fragments are laid out as the PTX ISA lays them out.
#pragma once

// Included by cuda_shim.h, so that it is not inside the namespace that kernel files are compiled in.
#include <stdint.h>

#include "shim/async_copy.h"
#include "shim/bits.h"
#include "shim/warp.h"

namespace emulator {

struct Fragments {
  uint32_t a[4], b[2];
};

inline float bf16_value(uint32_t pair, int half) { return __uint_as_float(half ? pair & 0xffff0000u : pair << 16); }

inline uint32_t bf16_bits(float value) {
  uint32_t bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;  // NaN, as cvt.rn.bf16 makes it.
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

// An 8 x 8 matrix of 16-bit elements whose rows lie at the addresses given by the lanes 8 * number .. + 7.
inline const uint16_t* matrix_row(const LaneValues& rows, int number, int row) {
  return static_cast<const uint16_t*>(rows.of<const void*>(static_cast<unsigned>(8 * number + row)));
}

inline void check_alignment(const void* address, size_t bytes, const char* what) {
  if (reinterpret_cast<uintptr_t>(address) % bytes != 0) fail_kernel(what);
}

}  // namespace emulator

// D += A B for A 16 x 16 (row), B 16 x 8 (column), bf16 pairs in, f32 sums.
inline void mma_bf16_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulator::Fragments own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  emulator::LaneValues lanes = emulator::meet_lanes(0xffffffffu, own);
  int group = emulator::lane() / 4, position = emulator::lane() % 4;
  for (int i = 0; i < 4; i++) {
    int row = group + 8 * (i / 2), column = 2 * position + i % 2;
    float sum = d[i];
    for (int k = 0; k < 16; k++) {
      int pair = k % 8 / 2;
      emulator::Fragments of_row = lanes.of<emulator::Fragments>(static_cast<unsigned>(row % 8 * 4 + pair));
      emulator::Fragments of_column = lanes.of<emulator::Fragments>(static_cast<unsigned>(column * 4 + pair));
      sum += emulator::bf16_value(of_row.a[row / 8 + 2 * (k / 8)], k % 2) * emulator::bf16_value(of_column.b[k / 8], k % 2);
    }
    d[i] = sum;
  }
}

// D += A B for A 16 x 8 (row), B 8 x 8 (column), tf32 in f32 containers, f32 sums. The low 13 bits are ignored.
inline void mma_tf32_1688(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulator::Fragments own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  emulator::LaneValues lanes = emulator::meet_lanes(0xffffffffu, own);
  int group = emulator::lane() / 4, position = emulator::lane() % 4;
  for (int i = 0; i < 4; i++) {
    int row = group + 8 * (i / 2), column = 2 * position + i % 2;
    float sum = d[i];
    for (int k = 0; k < 8; k++) {
      emulator::Fragments of_row = lanes.of<emulator::Fragments>(static_cast<unsigned>(row % 8 * 4 + k % 4));
      emulator::Fragments of_column = lanes.of<emulator::Fragments>(static_cast<unsigned>(column * 4 + k % 4));
      sum += __uint_as_float(of_row.a[row / 8 + 2 * (k / 4)] & 0xffffe000u) * __uint_as_float(of_column.b[k / 4] & 0xffffe000u);
    }
    d[i] = sum;
  }
}

// Four 8 x 8 matrices of 16-bit elements: the lane passes the address of one row and gets a pair of each matrix.
inline void ldmatrix_x4(uint32_t (&values)[4], const void* row) {
  emulator::check_alignment(row, 16, "ldmatrix of a row that is not aligned to 16 bytes");
  emulator::LaneValues rows = emulator::meet_lanes(0xffffffffu, row);
  int lane = emulator::lane();
  for (int i = 0; i < 4; i++) memcpy(&values[i], emulator::matrix_row(rows, i, lane / 4) + 2 * (lane % 4), sizeof(uint32_t));
}

// The same with every matrix transposed.
inline void ldmatrix_x4_transposed(uint32_t (&values)[4], const void* row) {
  emulator::check_alignment(row, 16, "ldmatrix of a row that is not aligned to 16 bytes");
  emulator::LaneValues rows = emulator::meet_lanes(0xffffffffu, row);
  int lane = emulator::lane();
  for (int i = 0; i < 4; i++) {
    uint32_t low = emulator::matrix_row(rows, i, 2 * (lane % 4))[lane / 4];
    uint32_t high = emulator::matrix_row(rows, i, 2 * (lane % 4) + 1)[lane / 4];
    values[i] = high << 16 | low;
  }
}

inline void copy_async_16(void* shared, const void* global, bool inside) {
  emulator::check_alignment(shared, 16, "an asynchronous copy of 16 bytes to an unaligned address");
  if (inside) emulator::check_alignment(global, 16, "an asynchronous copy of 16 bytes from an unaligned address");
  emulator::queue_async_copy(shared, global, 16, inside ? 16 : 0);
}

inline void copy_async_4(void* shared, const void* global, bool inside) {
  emulator::check_alignment(shared, 4, "an asynchronous copy of 4 bytes to an unaligned address");
  if (inside) emulator::check_alignment(global, 4, "an asynchronous copy of 4 bytes from an unaligned address");
  emulator::queue_async_copy(shared, global, 4, inside ? 4 : 0);
}

inline void copy_async_commit() { emulator::commit_async_copies(); }

template <int Keep>
inline void copy_async_wait() {
  emulator::wait_for_async_copies(Keep);
}

// cvt.rna.tf32.f32: to 10 bits of fraction, halves away from zero.
inline uint32_t round_to_tf32(float value) {
  uint32_t bits = __float_as_uint(value);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
  return (bits + 0x1000u) & 0xffffe000u;
}

// Two bf16 in one register, the first in the low half.
inline uint32_t pack_bf16(float low, float high) { return emulator::bf16_bits(high) << 16 | emulator::bf16_bits(low); }
