// Copies of boxes of a tensor to shared memory by Hopper's copy engine (TMA), and the barriers in shared memory (mbarriers) that say when they are
// there. With tensor_core.cuh and wgmma.cuh the only place with inline PTX; the emulator has its own bodies under the same names.
//
// A barrier is made for a number of arrivals. Its phase ends when all have arrived and as many bytes as were expected have come; the next phase
// begins at once. Phases are waited for by their parity: 0 is the first, and a wait for parity 1 passes at a new barrier.
#pragma once
#include "common/wgmma.cuh"

#ifdef HAS_WGMMA

// What cuTensorMapEncodeTiled of the driver wrote; a kernel's parameter (const __grid_constant__), since the engine reads it by its address.
struct __align__(64) TensorMap {
  uint64_t words[16];
};

#ifdef SPK_EMULATOR
#include "emulated_bulk_copy.h"
#else

__device__ __forceinline__ void mbarrier_init(uint64_t* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

// Makes new barriers known to the copy engine; before the block's barrier that announces them to its threads.
__device__ __forceinline__ void mbarrier_announce() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ __forceinline__ void mbarrier_arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}

// Arrives, and has the phase wait for so many bytes of copies besides.
__device__ __forceinline__ void mbarrier_arrive_expect(uint64_t* barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}

__device__ __forceinline__ void mbarrier_wait(uint64_t* barrier, unsigned parity) {
  unsigned passed;
  do {
    asm volatile(
        "{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p;}"
        : "=r"(passed)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (passed == 0);
}

// Starts the copy of the box whose first element has these coordinates, the innermost first; zeros outside of the tensor. One thread. All bytes of
// the box count for the barrier's phase.
__device__ __forceinline__ void bulk_copy_3d(void* shared, const TensorMap& map, int x, int y, int z, uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(x), "r"(y), "r"(z), "r"(shared_address(barrier))
      : "memory");
}

// The same of a tensor of four dimensions.
__device__ __forceinline__ void bulk_copy_4d(void* shared, const TensorMap& map, int x, int y, int z, int w, uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(
          shared_address(shared)),
      "l"(&map), "r"(x), "r"(y), "r"(z), "r"(w), "r"(shared_address(barrier))
      : "memory");
}

// Sets how many registers each thread has from here on, of all four warps of a warpgroup: fewer for one that only copies, which the others then take. A
// multiple of 8 from 24 to 256; the block as a whole keeps what it was launched with.
template <int Registers>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

template <int Registers>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}

// Has the engine fetch a map before its first copy.
__device__ __forceinline__ void prefetch_map(const TensorMap& map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }

#endif
#endif
