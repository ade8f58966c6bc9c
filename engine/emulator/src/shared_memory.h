// Shared memory of a block before its first instruction: full of NaN, so that reads before writes show.
#pragma once

#include "kernel_registry.h"

namespace emulator {

// Dynamic shared memory of one worker, reused by its blocks.
class DynamicShared {
 public:
  explicit DynamicShared(size_t bytes);
  ~DynamicShared();
  DynamicShared(const DynamicShared&) = delete;
  DynamicShared& operator=(const DynamicShared&) = delete;

  unsigned char* data() const { return data_; }
  void poison();

 private:
  size_t bytes_, reserved_;
  unsigned char* data_;
};

// The static __shared__ arrays of all kernels as one OS thread sees them: this module's thread-local memory. Poisons all of
// it before the first block of a launch and, from then on, the part that block had written.
class StaticShared {
 public:
  StaticShared();
  void poison();
  void after_block();

 private:
  unsigned char* begin_ = nullptr;
  size_t bytes_ = 0, from_ = 0, to_ = 0;
  bool first_ = true;
};

}  // namespace emulator
