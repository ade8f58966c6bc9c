// Devices, contexts and the emulator's own exports.
#include "device_properties.h"
#include "driver_api.h"
#include "settings.h"

#include <stdio.h>

using namespace emulator;

namespace {

constexpr int EMULATOR_VERSION = 1;
int context;  // Its address is the handle of the only context.

}  // namespace

DRIVER_API spkEmulatorVersion() { return EMULATOR_VERSION; }

DRIVER_API spkEmulatorConfigure(const char* name, int value) {
  return name != nullptr && configure(name, value) ? Success : fail(InvalidValue, "no such switch, or a value out of its range");
}

DRIVER_API cuInit(unsigned flags) { return flags == 0 ? Success : InvalidValue; }

DRIVER_API cuDriverGetVersion(int* version) {
  *version = DRIVER_VERSION;
  return Success;
}

DRIVER_API cuDeviceGetCount(int* count) {
  *count = 1;
  return Success;
}

DRIVER_API cuDeviceGet(int* device, int ordinal) {
  *device = DEVICE_ORDINAL;
  return ordinal == DEVICE_ORDINAL ? Success : fail(InvalidDevice, "the emulator has one device");
}

DRIVER_API cuDeviceGetName(char* name, int length, int) {
  snprintf(name, static_cast<size_t>(length), "%s", DEVICE_NAME);
  return Success;
}

DRIVER_API cuDeviceGetAttribute(int* value, int attribute, int) {
  return device_property(attribute, value) ? Success : fail(InvalidValue, "the emulator does not know this attribute");
}

DRIVER_API cuDeviceTotalMem_v2(size_t* bytes, int) {
  size_t free_bytes;
  device_memory_info(&free_bytes, bytes);
  return Success;
}

DRIVER_API cuDevicePrimaryCtxRetain(void** handle, int) {
  *handle = &context;
  return Success;
}

DRIVER_API cuDevicePrimaryCtxRelease_v2(int) { return Success; }

DRIVER_API cuCtxSetCurrent(void* handle) {
  return handle == nullptr || handle == &context ? Success : fail(InvalidContext, "no such context");
}

DRIVER_API cuCtxSynchronize() {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  return finish_all_streams();
}

DRIVER_API cuGetErrorName(int status, const char** name) {
  *name = status_name(status);
  return Success;
}

DRIVER_API cuGetErrorString(int status, const char** text) {
  *text = status_text(status);
  return Success;
}
