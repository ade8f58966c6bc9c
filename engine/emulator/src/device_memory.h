// Device memory: host memory with a limit, filled with NaN when it is handed out, and unreadable when strict.
#pragma once

#include "status.h"

#include <stddef.h>
#include <stdint.h>

namespace emulator {

Status allocate_device(size_t bytes, uint64_t* address);
Status free_device(uint64_t address);
void device_memory_info(size_t* free_bytes, size_t* total_bytes);

// Whether the bytes lie inside one allocation.
bool is_device_range(uint64_t address, size_t bytes);

Status allocate_pinned(size_t bytes, void** address);
Status free_pinned(void* address);
bool is_pinned(const void* address);

// While one lives, strict device memory is accessible.
class DeviceMemoryAccess {
 public:
  DeviceMemoryAccess();
  ~DeviceMemoryAccess();
  DeviceMemoryAccess(const DeviceMemoryAccess&) = delete;
  DeviceMemoryAccess& operator=(const DeviceMemoryAccess&) = delete;
};

}  // namespace emulator
