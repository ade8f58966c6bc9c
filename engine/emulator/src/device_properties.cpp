#include "device_properties.h"

#include "settings.h"

#include <iterator>

namespace emulator {
namespace {

constexpr int CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76;

struct Property {
  int attribute, value;
};

const Property properties[] = {
    {1, static_cast<int>(MAX_THREADS_PER_BLOCK)},
    {2, 1024},  // Block dimensions.
    {3, 1024},
    {4, static_cast<int>(MAX_BLOCK_Z)},
    {5, static_cast<int>(MAX_GRID_X)},  // Grid dimensions.
    {6, static_cast<int>(MAX_GRID_Y)},
    {7, static_cast<int>(MAX_GRID_Y)},
    {8, SHARED_WITHOUT_OPT_IN},
    {9, 65536},    // Constant memory.
    {10, 32},      // Warp.
    {12, 65536},   // Registers of a block.
    {13, 1000000}, // Clock in kHz.
    {16, MULTIPROCESSORS},
    {18, 0},        // Integrated.
    {19, 1},        // Maps host memory.
    {20, 0},        // Compute mode: default.
    {31, 1},        // Concurrent kernels.
    {36, 1000000},  // Memory clock in kHz.
    {37, 64},       // Width of the memory bus in bits.
    {38, 4 << 20},  // Second-level cache.
    {39, THREADS_PER_MULTIPROCESSOR},
    {41, 1},  // Unified addressing.
    {81, SHARED_PER_MULTIPROCESSOR},
    {82, 65536},  // Registers of a multiprocessor.
    {97, SHARED_OPT_IN},
    {106, 32},    // Blocks of a multiprocessor.
    {111, 1024},  // Shared memory that the system reserves in a block.
    {115, 1},     // Memory pools.
};

}  // namespace

bool device_property(int attribute, int* value) {
  if (attribute == CAPABILITY_MAJOR || attribute == CAPABILITY_MINOR) {
    *value = attribute == CAPABILITY_MAJOR ? settings.capability / 10 : settings.capability % 10;
    return true;
  }
  for (const Property& property : properties) {
    if (property.attribute != attribute) continue;
    *value = property.value;
    return true;
  }
  *value = 0;
  return false;
}

}  // namespace emulator
