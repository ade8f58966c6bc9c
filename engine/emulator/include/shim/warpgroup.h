// Products of a warpgroup that read shared memory by descriptors and take effect at the wait that covers them: reading sums or overwriting
// operands too early shows.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace emulator {

// One thread's part of a product of 64 rows, `columns` columns and 16 along k.
struct WarpgroupProduct {
  float* sums;
  int columns;
  uint64_t a, b;
  bool across_a, across_b;  // k across the lines of the tiles.
  bool holds_a;             // A is not in shared memory: the thread's two rows are these.
  uint16_t rows[2][16];
};

// Shared memory in addresses of 32 bits, as kernels give them to instructions.
unsigned shared_window_address(const void* pointer);

void fence_products();
void queue_product(const WarpgroupProduct& product);
void commit_products();
// Finishes all committed groups but the newest `keep`.
void wait_for_products(int keep);

}  // namespace emulator
