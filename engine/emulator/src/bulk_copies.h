// The barriers in shared memory of one block, and the copies that are on their way to it.
#pragma once

#include "shim/bulk_copy.h"
#include "tensor_map.h"

#include <stddef.h>
#include <string>
#include <vector>

namespace emulator {

struct Mbarrier {
  const void* address;
  int arrivals, missing;  // Of a phase; of this one.
  int64_t bytes = 0;      // Expected and not come.
  uint64_t phase = 0;
  bool announced = false;

  bool passed(unsigned parity) const { return (phase & 1) != parity; }
  // Whether the phase has ended, so that those who wait can go on.
  bool end_phase();
};

class BulkCopies {
 public:
  void reset();

  // Each returns null, or why a device would not do that.
  const char* init(const void* address, int arrivals);
  void announce();
  const char* arrive(const void* address, unsigned expected_bytes, bool& ended);
  const char* queue(void* shared, const void* map, int dimensions, const int* first, const void* barrier, unsigned (*swizzle)(unsigned),
                    const unsigned char* memory, size_t memory_bytes);

  // Null where there is none at that address.
  const Mbarrier* barrier(const void* address) const;
  size_t count() const { return queued_.size(); }
  // Performs one of the copies that are queued, in that order; the barrier whose phase that ended, or null.
  const void* deliver(size_t which);

 private:
  struct Copy {
    unsigned char* shared;
    TensorMapFields map;
    int64_t first[MOST_DIMENSIONS];
    const void* barrier;
    unsigned (*swizzle)(unsigned);
  };

  static unsigned box_bytes(const TensorMapFields& map);
  static void perform(const Copy& copy);
  Mbarrier* find(const void* address);

  std::vector<Mbarrier> barriers_;
  std::vector<Copy> queued_;
};

}  // namespace emulator
