// A launch in a file: shape, parameters, the memory they point to, and where in all that the addresses are.
#pragma once

#include <stdint.h>
#include <string>
#include <vector>

namespace emulator {

constexpr unsigned PARAMETER_ALIGNMENT = 16;  // Parameters lie one after another, each at a multiple of this.

struct Relocation {
  uint64_t region, offset;                // Where the address is.
  uint64_t target_region, target_offset;  // What it points to.
};

struct RecordedLaunch {
  std::string kernel;
  uint32_t sizes[7] = {};                           // Grid, block, dynamic shared bytes.
  std::vector<std::vector<unsigned char>> regions;  // The parameters first.
  std::vector<Relocation> relocations;
};

void write_recorded(const RecordedLaunch& launch, const std::string& path);
// Throws std::runtime_error where the file is not one of ours.
RecordedLaunch read_recorded(const std::string& path);

}  // namespace emulator
