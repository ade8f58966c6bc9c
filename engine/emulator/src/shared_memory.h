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
// it before a kernel's very first block, and from then on the part which that block had written.
class StaticShared {
 public:
  explicit StaticShared(const Kernel& kernel);
  void poison();
  void after_block();

 private:
  const Kernel& kernel_;
  unsigned char* begin_;
  StaticExtent extent_;
};

}  // namespace emulator
