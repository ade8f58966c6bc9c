// Writes launches with all the memory they reach to files, which the sanitized test driver replays (tests/replay.cpp).
#pragma once

#include "operation.h"

namespace emulator {

// Records where the environment variable SPK_EMULATOR_RECORD names a folder: the first few different launches of every kernel.
void record_launch(const Kernel& kernel, const LaunchShape& shape, void** arguments);

}  // namespace emulator
