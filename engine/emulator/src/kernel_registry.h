// The kernels linked into the library, by name.
#pragma once

#include "shim/kernel_registration.h"

#include <string>
#include <vector>

namespace emulator {

// The part of thread-local memory that a kernel's static shared arrays take, learnt from its first block.
struct StaticExtent {
  bool known = false;
  size_t from = 0, to = 0;
};

struct Kernel {
  KernelEntry entry;
  int dynamic_shared_limit = 48 * 1024;  // As set by cuFuncSetAttribute.
  mutable StaticExtent static_extent;    // Written by the first worker of a launch only.
};

Kernel* find_kernel(const std::string& name);
std::vector<const Kernel*> all_kernels();

}  // namespace emulator
