// For the files that define the driver's exports.
#pragma once

#include "device_memory.h"
#include "stream.h"

#define DRIVER_API extern "C" __attribute__((visibility("default"))) int

namespace emulator {

constexpr int DEVICE_ORDINAL = 0;

inline void* at(uint64_t address) { return reinterpret_cast<void*>(address); }

// Runs `work` on the stream of a handle under the streams' lock.
template <typename Work>
int on_stream(void* handle, Work work) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  Stream* stream = stream_of(handle);
  return stream == nullptr ? fail(InvalidHandle, "no such stream") : work(*stream);
}

}  // namespace emulator
