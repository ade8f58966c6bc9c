// Allocation, copies, fills.
#include "driver_api.h"

#include <string.h>

using namespace emulator;

namespace {

int memory_pool;  // Its address is the handle of the only pool.
uint64_t pool_release_threshold = 0;

constexpr int MEMORY_HOST = 1, MEMORY_DEVICE = 2;
constexpr int POOL_RELEASE_THRESHOLD = 4, POOL_RESERVED = 5, POOL_RESERVED_HIGH = 6, POOL_USED = 7, POOL_USED_HIGH = 8;

// CUDA_MEMCPY2D.
struct Copy2D {
  size_t source_x, source_y;
  int source_type;
  const void* source_host;
  uint64_t source_device;
  void* source_array;
  size_t source_pitch;
  size_t destination_x, destination_y;
  int destination_type;
  void* destination_host;
  uint64_t destination_device;
  void* destination_array;
  size_t destination_pitch, width, rows;
};

Status check_range(uint64_t address, size_t bytes, const char* what) {
  if (bytes == 0 || is_device_range(address, bytes)) return Success;
  return fail(InvalidValue, std::string(what) + " is not inside one allocation on the device");
}

size_t extent(size_t pitch, size_t width, size_t rows) { return rows == 0 || width == 0 ? 0 : pitch * (rows - 1) + width; }

// The driver has taken pageable host memory when a copy call returns; pinned memory it reads later.
void stage(CopyRows& copy, const Stream& stream) {
  if (!stream.lazy() || stream.capturing() || is_pinned(copy.source)) return;
  const size_t bytes = extent(copy.source_pitch, copy.width, copy.rows);
  const auto* source = static_cast<const unsigned char*>(copy.source);
  copy.staged = std::make_shared<std::vector<unsigned char>>(source, source + bytes);
}

int submit_copy(CopyRows copy, bool from_host, void* stream_handle) {
  return on_stream(stream_handle, [&](Stream& stream) {
    if (from_host) stage(copy, stream);
    return stream.submit(std::move(copy));
  });
}

int submit_fill(Fill fill, void* stream_handle) {
  const size_t bytes = fill.count * static_cast<size_t>(fill.value_bytes);
  Status status = check_range(reinterpret_cast<uint64_t>(fill.address), bytes, "the memory to fill");
  return status != Success ? status : on_stream(stream_handle, [&](Stream& stream) { return stream.submit(fill); });
}

}  // namespace

DRIVER_API cuMemGetInfo_v2(size_t* free_bytes, size_t* total_bytes) {
  device_memory_info(free_bytes, total_bytes);
  return Success;
}

DRIVER_API cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  Status refused = refused_while_capturing("allocating");
  return refused != Success ? refused : allocate_device(bytes, address);
}

// Like the driver, waits for all work before the memory goes.
DRIVER_API cuMemFree_v2(uint64_t address) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  if (Status refused = refused_while_capturing("freeing"); refused != Success) return refused;
  Status finished = finish_all_streams(), freed = free_device(address);
  return freed != Success ? freed : finished;
}

DRIVER_API cuMemAllocAsync(uint64_t* address, size_t bytes, void* stream) {
  return on_stream(stream, [&](Stream& each) {
    return each.capturing() ? fail(StreamCaptureUnsupported, "allocating while the stream is capturing") : allocate_device(bytes, address);
  });
}

DRIVER_API cuMemFreeAsync(uint64_t address, void* stream) {
  return on_stream(stream, [&](Stream& each) {
    Status finished = each.finish();
    return finished != Success ? finished : free_device(address);
  });
}

DRIVER_API cuDeviceGetDefaultMemPool(void** pool, int) {
  *pool = &memory_pool;
  return Success;
}

DRIVER_API cuMemPoolSetAttribute(void*, int attribute, void* value) {
  if (attribute == POOL_RELEASE_THRESHOLD) memcpy(&pool_release_threshold, value, sizeof pool_release_threshold);
  return Success;
}

DRIVER_API cuMemPoolGetAttribute(void*, int attribute, void* value) {
  size_t free_bytes, total_bytes;
  device_memory_info(&free_bytes, &total_bytes);
  uint64_t result;
  switch (attribute) {
    case POOL_RELEASE_THRESHOLD: result = pool_release_threshold; break;
    case POOL_RESERVED:
    case POOL_RESERVED_HIGH:
    case POOL_USED:
    case POOL_USED_HIGH: result = total_bytes - free_bytes; break;
    default: return fail(InvalidValue, "the emulator does not know this attribute of a memory pool");
  }
  memcpy(value, &result, sizeof result);
  return Success;
}

DRIVER_API cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  Status refused = refused_while_capturing("allocating");
  return refused != Success ? refused : allocate_pinned(bytes, address);
}

DRIVER_API cuMemFreeHost(void* address) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  if (Status refused = refused_while_capturing("freeing"); refused != Success) return refused;
  Status finished = finish_all_streams(), freed = free_pinned(address);
  return freed != Success ? freed : finished;
}

DRIVER_API cuMemcpyHtoDAsync_v2(uint64_t destination, const void* source, size_t bytes, void* stream) {
  Status status = check_range(destination, bytes, "the destination");
  return status != Success ? status : submit_copy({at(destination), bytes, source, bytes, bytes, 1, nullptr}, true, stream);
}

DRIVER_API cuMemcpyDtoHAsync_v2(void* destination, uint64_t source, size_t bytes, void* stream) {
  Status status = check_range(source, bytes, "the source");
  return status != Success ? status : submit_copy({destination, bytes, at(source), bytes, bytes, 1, nullptr}, false, stream);
}

DRIVER_API cuMemcpyDtoDAsync_v2(uint64_t destination, uint64_t source, size_t bytes, void* stream) {
  Status status = check_range(destination, bytes, "the destination");
  if (status == Success) status = check_range(source, bytes, "the source");
  return status != Success ? status : submit_copy({at(destination), bytes, at(source), bytes, bytes, 1, nullptr}, false, stream);
}

DRIVER_API cuMemcpy2DAsync_v2(const Copy2D* copy, void* stream) {
  const bool from_host = copy->source_type == MEMORY_HOST, to_host = copy->destination_type == MEMORY_HOST;
  if ((!from_host && copy->source_type != MEMORY_DEVICE) || (!to_host && copy->destination_type != MEMORY_DEVICE)) {
    return fail(NotSupported, "a copy of rows between other kinds of memory than host and device");
  }
  if (copy->width > copy->source_pitch || copy->width > copy->destination_pitch) {
    return fail(InvalidValue, "rows of a copy that overlap");
  }
  const size_t source_offset = copy->source_y * copy->source_pitch + copy->source_x;
  const size_t destination_offset = copy->destination_y * copy->destination_pitch + copy->destination_x;
  const uint64_t source = (from_host ? reinterpret_cast<uint64_t>(copy->source_host) : copy->source_device) + source_offset;
  const uint64_t destination =
      (to_host ? reinterpret_cast<uint64_t>(copy->destination_host) : copy->destination_device) + destination_offset;
  Status status = Success;
  if (!from_host) status = check_range(source, extent(copy->source_pitch, copy->width, copy->rows), "the source");
  if (status == Success && !to_host) {
    status = check_range(destination, extent(copy->destination_pitch, copy->width, copy->rows), "the destination");
  }
  if (status != Success) return status;
  CopyRows rows{at(destination), copy->destination_pitch, at(source), copy->source_pitch, copy->width, copy->rows, nullptr};
  return submit_copy(std::move(rows), from_host, stream);
}

DRIVER_API cuMemsetD8Async(uint64_t address, unsigned char value, size_t count, void* stream) {
  return submit_fill({at(address), value, 1, count}, stream);
}

DRIVER_API cuMemsetD32Async(uint64_t address, unsigned value, size_t count, void* stream) {
  if (address % 4 != 0) return fail(InvalidValue, "filling with 32-bit values at an unaligned address");
  return submit_fill({at(address), value, 4, count}, stream);
}
