// The bodies of common/bulk_copy.cuh, which includes this: boxes are swizzled by the function that products' tiles are.
#pragma once

inline void mbarrier_init(uint64_t* barrier, int arrivals) { emulator::init_mbarrier(barrier, arrivals); }
inline void mbarrier_announce() { emulator::announce_mbarriers(); }
inline void mbarrier_arrive(uint64_t* barrier) { emulator::arrive_at_mbarrier(barrier, 0); }
inline void mbarrier_arrive_expect(uint64_t* barrier, unsigned bytes) { emulator::arrive_at_mbarrier(barrier, bytes); }
inline void mbarrier_wait(uint64_t* barrier, unsigned parity) { emulator::wait_for_mbarrier(barrier, parity); }
inline void prefetch_map(const TensorMap&) {}

// A thread has as many registers as its code takes.
template <int>
inline void give_registers() {}
template <int>
inline void take_registers() {}

inline void bulk_copy_3d(void* shared, const TensorMap& map, int x, int y, int z, uint64_t* barrier) {
  const int first[] = {x, y, z};
  emulator::queue_bulk_copy(shared, &map, 3, first, barrier, swizzled);
}

inline void bulk_copy_4d(void* shared, const TensorMap& map, int x, int y, int z, int w, uint64_t* barrier) {
  const int first[] = {x, y, z, w};
  emulator::queue_bulk_copy(shared, &map, 4, first, barrier, swizzled);
}
