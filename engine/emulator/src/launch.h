// Runs a whole grid.
#pragma once

#include "kernel_registry.h"
#include "shim/vector_types.h"
#include "status.h"

namespace emulator {

struct LaunchShape {
  dim3 grid, block;
  unsigned dynamic_bytes = 0;
};

// What the driver refuses before it queues anything.
Status check_launch(const Kernel& kernel, const LaunchShape& shape);

Status run_kernel(const Kernel& kernel, const LaunchShape& shape, void** arguments);

}  // namespace emulator
