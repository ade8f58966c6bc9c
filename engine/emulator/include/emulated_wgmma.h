// The warpgroup primitives of common/wgmma.cuh.
#pragma once

#include <stdint.h>

#include "shim/warp.h"
#include "shim/warpgroup.h"

inline unsigned shared_address(const void* pointer) { return emulator::shared_window_address(pointer); }

// Copies are in shared memory as soon as they are waited for.
inline void fence_for_tensor_cores() {}

inline void wgmma_fence() { emulator::fence_products(); }

template <typename Value, int Count>
inline void wgmma_hold(Value (&)[Count]) {}

template <bool AcrossA, bool AcrossB, int Count>
inline void wgmma_bf16(float (&d)[Count], uint64_t a, uint64_t b) {
  emulator::LaneValues lanes = emulator::meet_lanes(0xffffffffu, a ^ b * 0x9e3779b97f4a7c15ull);
  if (lanes.of<uint64_t>(0) != lanes.of<uint64_t>(emulator::current.thread->lane)) emulator::fail_kernel("lanes of a warp gave a product different operands");
  emulator::queue_product({d, 2 * Count, a, b, AcrossA, AcrossB, false, {}});
}

// With the rows of A that the thread's sums need collected from the lanes that hold them.
template <bool AcrossB, int Count>
inline void wgmma_bf16_held(float (&d)[Count], const uint32_t (&a)[4], uint64_t b) {
  struct Held {
    uint32_t a[4];
    uint64_t b;
  };
  const emulator::LaneValues lanes = emulator::meet_lanes(0xffffffffu, Held{{a[0], a[1], a[2], a[3]}, b});
  const unsigned first = emulator::current.thread->lane / 4 * 4;
  emulator::WarpgroupProduct product{d, 2 * Count, 0, b, false, AcrossB, true, {}};
  for (unsigned lane = 0; lane < 4; lane++) {
    const auto held = lanes.of<Held>(first + lane);
    if (held.b != b) emulator::fail_kernel("lanes of a warp gave a product different operands");
    for (unsigned i = 0; i < 4; i++) {
      for (unsigned half = 0; half < 2; half++) product.rows[i % 2][i / 2 * 8 + lane * 2 + half] = static_cast<uint16_t>(held.a[i] >> 16 * half);
    }
  }
  emulator::queue_product(product);
}

inline void wgmma_commit() { emulator::commit_products(); }

// A warp passes as one: what a lane does afterwards holds for the operands of all.
template <int Keep>
inline void wgmma_wait() {
  emulator::wait_for_products(Keep);
  emulator::meet_lanes(0xffffffffu, 0);
}

template <int Count>
inline void wgmma_finish(float (&)[Count]) {
  wgmma_wait<0>();
}
