// The kernels linked into the library, by name.
#pragma once

#include "shim/kernel_registration.h"

#include <string>
#include <vector>

namespace emulator {

struct Kernel {
  KernelEntry entry;
  int dynamic_shared_limit = 48 * 1024;  // As set by cuFuncSetAttribute.
};

Kernel* find_kernel(const std::string& name);
std::vector<const Kernel*> all_kernels();

}  // namespace emulator
