// The warpgroup primitives of common/wgmma.cuh.
#pragma once

#include <stdint.h>

#include "shim/warp.h"
#include "shim/warpgroup.h"

inline unsigned shared_address(const void* pointer) { return emulator::shared_window_address(pointer); }

// Copies are in shared memory as soon as they are waited for.
inline void fence_for_tensor_cores() {}

inline void wgmma_fence() { emulator::fence_products(); }

template <bool AcrossA, bool AcrossB, int Count>
inline void wgmma_bf16(float (&d)[Count], uint64_t a, uint64_t b) {
  emulator::LaneValues lanes = emulator::meet_lanes(0xffffffffu, a ^ b * 0x9e3779b97f4a7c15ull);
  if (lanes.of<uint64_t>(0) != lanes.of<uint64_t>(emulator::current.thread->lane)) emulator::fail_kernel("lanes of a warp gave a product different operands");
  emulator::queue_product({d, 2 * Count, a, b, AcrossA, AcrossB});
}

inline void wgmma_commit() { emulator::commit_products(); }

template <int Keep>
inline void wgmma_wait() {
  emulator::wait_for_products(Keep);
}

template <int Count>
inline void wgmma_finish(float (&)[Count]) {
  emulator::wait_for_products(0);
}
