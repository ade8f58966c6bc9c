// Copies of boxes of a tensor to shared memory, and the barriers that count their bytes.
#pragma once

namespace emulator {

void init_mbarrier(const void* barrier, int arrivals);
void announce_mbarriers();
// One arrival, which lets the phase wait for so many bytes besides.
void arrive_at_mbarrier(const void* barrier, unsigned expected_bytes);
void wait_for_mbarrier(const void* barrier, unsigned parity);

// The box whose first element has these coordinates, the innermost first. `swizzle` says where a byte of the box lies, by its offset, where the map
// asks for the 128-byte swizzle.
void queue_bulk_copy(void* shared, const void* map, int dimensions, const int* first, const void* barrier, unsigned (*swizzle)(unsigned offset));

}  // namespace emulator
