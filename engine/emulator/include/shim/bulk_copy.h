// Copies of boxes of a tensor to shared memory, and the barriers that count their bytes.
#pragma once

namespace emulator {

struct Coordinates {
  int x, y, z;
};

void init_mbarrier(const void* barrier, int arrivals);
void announce_mbarriers();
// One arrival, which lets the phase wait for so many bytes besides.
void arrive_at_mbarrier(const void* barrier, unsigned expected_bytes);
void wait_for_mbarrier(const void* barrier, unsigned parity);

// `swizzle` says where a byte of the box lies, by its offset, where the map asks for the 128-byte swizzle.
void queue_bulk_copy(void* shared, const void* map, Coordinates first, const void* barrier, unsigned (*swizzle)(unsigned offset));

}  // namespace emulator
