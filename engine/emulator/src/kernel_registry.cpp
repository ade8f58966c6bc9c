#include "kernel_registry.h"

#include <map>
#include <stdio.h>
#include <stdlib.h>

namespace emulator {
namespace {

std::map<std::string, Kernel>& kernels() {
  static std::map<std::string, Kernel> all;
  return all;
}

}  // namespace

void register_kernel(const KernelEntry& entry) {
  Kernel kernel;
  kernel.entry = entry;
  if (!kernels().emplace(entry.name, kernel).second) {
    fprintf(stderr, "emulator: two kernels are called %s\n", entry.name);
    abort();
  }
}

Kernel* find_kernel(const std::string& name) {
  auto found = kernels().find(name);
  return found == kernels().end() ? nullptr : &found->second;
}

std::vector<const Kernel*> all_kernels() {
  std::vector<const Kernel*> all;
  for (const auto& named : kernels()) all.push_back(&named.second);
  return all;
}

}  // namespace emulator
