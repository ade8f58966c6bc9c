// Modules, functions, launches.
#include "device_properties.h"
#include "driver_api.h"

#include <algorithm>

using namespace emulator;

namespace {

int module;  // Its address is the handle of every module: all kernels are linked in.

constexpr int FUNCTION_MAX_THREADS = 0, FUNCTION_SHARED = 1, FUNCTION_CONSTANT = 2, FUNCTION_LOCAL = 3, FUNCTION_REGISTERS = 4,
              FUNCTION_PTX_VERSION = 5, FUNCTION_BINARY_VERSION = 6, FUNCTION_MAX_DYNAMIC_SHARED = 8;

}  // namespace

DRIVER_API cuModuleLoadData(void** handle, const void* image) {
  if (image == nullptr) return fail(InvalidValue, "there is no image");
  *handle = &module;
  return Success;
}

DRIVER_API cuModuleUnload(void*) { return Success; }

DRIVER_API cuModuleGetFunction(void** function, void*, const char* name) {
  Kernel* kernel = find_kernel(name);
  if (kernel == nullptr) return fail(NotFound, std::string("the emulator was built without a kernel called ") + name);
  *function = kernel;
  return Success;
}

DRIVER_API cuFuncSetAttribute(void* function, int attribute, int value) {
  if (attribute != FUNCTION_MAX_DYNAMIC_SHARED) return Success;  // Hints.
  if (value < 0 || value > SHARED_OPT_IN) return fail(InvalidValue, "more shared memory than a block may opt in to");
  static_cast<Kernel*>(function)->dynamic_shared_limit = value;
  return Success;
}

DRIVER_API cuFuncGetAttribute(int* value, int attribute, void* function) {
  switch (attribute) {
    case FUNCTION_MAX_THREADS: *value = static_cast<int>(MAX_THREADS_PER_BLOCK); return Success;
    case FUNCTION_SHARED:
    case FUNCTION_CONSTANT:
    case FUNCTION_LOCAL: *value = 0; return Success;
    case FUNCTION_REGISTERS: *value = 32; return Success;
    case FUNCTION_PTX_VERSION:
    case FUNCTION_BINARY_VERSION: *value = 90; return Success;
    case FUNCTION_MAX_DYNAMIC_SHARED: *value = static_cast<Kernel*>(function)->dynamic_shared_limit; return Success;
    default: *value = 0; return fail(InvalidValue, "the emulator does not know this attribute of a function");
  }
}

DRIVER_API cuFuncGetParamInfo(void* function, size_t index, size_t* offset, size_t* bytes) {
  const KernelEntry& entry = static_cast<Kernel*>(function)->entry;
  if (index >= static_cast<size_t>(entry.parameter_count)) return fail(InvalidValue, "the kernel has fewer parameters");
  size_t position = 0;
  for (size_t i = 0; i < index; i++) {
    position += entry.parameter_sizes[i];
    const size_t alignment = std::min<size_t>(entry.parameter_sizes[i + 1], 8);
    position = (position + alignment - 1) / alignment * alignment;
  }
  *offset = position;
  if (bytes != nullptr) *bytes = entry.parameter_sizes[index];
  return Success;
}

DRIVER_API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int block_size, size_t dynamic_bytes) {
  if (block_size <= 0) return fail(InvalidValue, "a block without threads");
  const int by_threads = THREADS_PER_MULTIPROCESSOR / block_size;
  const int by_shared = dynamic_bytes == 0 ? by_threads : static_cast<int>(SHARED_PER_MULTIPROCESSOR / (dynamic_bytes + 1024));
  *blocks = std::min({by_threads, by_shared, 32});
  return Success;
}

DRIVER_API cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                          unsigned block_z, unsigned dynamic_bytes, void* stream, void** arguments, void** extra) {
  if (function == nullptr) return fail(InvalidHandle, "there is no function");
  if (extra != nullptr) return fail(NotSupported, "kernel parameters in one buffer");
  const Kernel& kernel = *static_cast<Kernel*>(function);
  const LaunchShape shape{{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, dynamic_bytes};
  Status status = check_launch(kernel, shape);
  if (status != Success) return status;
  return on_stream(stream, [&](Stream& each) {
    if (each.capturing() || each.lazy()) return each.submit(make_launch(kernel, shape, arguments));
    Status finished = each.finish();
    if (finished != Success) return finished;
    DeviceMemoryAccess access;
    return run_kernel(kernel, shape, arguments);
  });
}
