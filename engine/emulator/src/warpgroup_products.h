// The products of one thread that were started and are not finished.
#pragma once

#include "shim/warpgroup.h"

#include <deque>
#include <vector>

namespace emulator {

class WarpgroupProducts {
 public:
  void reset();
  void fence() { fenced_ = true; }
  // Each returns null, or why the product is none that a device would do.
  const char* queue(const WarpgroupProduct& product, int thread, unsigned char* shared, size_t shared_bytes);
  const char* wait(int keep, int thread, unsigned char* shared, size_t shared_bytes);
  void commit();

 private:
  // With the operands as they were when it was started.
  struct Started {
    WarpgroupProduct product;
    std::vector<uint16_t> operands;
  };

  std::vector<Started> open_;
  std::deque<std::vector<Started>> committed_;
  bool fenced_ = false;
};

// Where the dynamic shared memory of a block begins: like that of a device, not at a multiple of 1024.
constexpr unsigned SHARED_WINDOW = 1152;

}  // namespace emulator
