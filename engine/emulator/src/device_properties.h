// The device that the emulator pretends to be.
#pragma once

namespace emulator {

constexpr const char* DEVICE_NAME = "CPU emulator";
constexpr int DRIVER_VERSION = 12040;
constexpr unsigned MAX_THREADS_PER_BLOCK = 1024;
constexpr unsigned MAX_BLOCK_Z = 64;
constexpr unsigned MAX_GRID_X = 0x7fffffff;
constexpr unsigned MAX_GRID_Y = 65535;
constexpr int SHARED_WITHOUT_OPT_IN = 48 * 1024;
constexpr int SHARED_OPT_IN = 232448;
constexpr int SHARED_PER_MULTIPROCESSOR = 233472;
constexpr int THREADS_PER_MULTIPROCESSOR = 2048;
constexpr int MULTIPROCESSORS = 4;

// By the numbers of CUdevice_attribute; false for one that is not known.
bool device_property(int attribute, int* value);

}  // namespace emulator
