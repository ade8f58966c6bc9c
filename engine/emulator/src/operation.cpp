#include "operation.h"

#include "device_memory.h"
#include "stream.h"

#include <string.h>

namespace emulator {
namespace {

constexpr size_t PARAMETER_ALIGNMENT = 16;

size_t slot_bytes(size_t bytes) { return (bytes + PARAMETER_ALIGNMENT - 1) / PARAMETER_ALIGNMENT * PARAMETER_ALIGNMENT; }

Status run(const KernelLaunch& launch) {
  const KernelEntry& entry = launch.kernel->entry;
  std::vector<void*> arguments;
  size_t offset = 0;
  for (int i = 0; i < entry.parameter_count; i++) {
    arguments.push_back(const_cast<unsigned char*>(launch.parameters.data()) + offset);
    offset += slot_bytes(entry.parameter_sizes[i]);
  }
  return run_kernel(*launch.kernel, launch.shape, arguments.data());
}

Status run(const CopyRows& copy) {
  const auto* source = static_cast<const char*>(copy.staged ? copy.staged->data() : copy.source);
  for (size_t row = 0; row < copy.rows; row++) {
    memcpy(static_cast<char*>(copy.destination) + row * copy.destination_pitch, source + row * copy.source_pitch, copy.width);
  }
  return Success;
}

Status run(const Fill& fill) {
  if (fill.value_bytes == 1) {
    memset(fill.address, static_cast<int>(fill.value), fill.count);
  } else {
    for (size_t i = 0; i < fill.count; i++) static_cast<uint32_t*>(fill.address)[i] = fill.value;
  }
  return Success;
}

Status run(const HostCall& call) {
  call.function(call.data);
  return Success;
}

Status run(const RecordEvent& record) {
  record.event->reach(record.number);
  return Success;
}

Status run(const WaitEvent& wait) { return wait.event->finish(wait.number); }

}  // namespace

KernelLaunch make_launch(const Kernel& kernel, const LaunchShape& shape, void** arguments) {
  KernelLaunch launch{&kernel, shape, {}};
  size_t offset = 0;
  for (int i = 0; i < kernel.entry.parameter_count; i++) {
    const size_t bytes = kernel.entry.parameter_sizes[i];
    launch.parameters.resize(offset + slot_bytes(bytes));
    memcpy(launch.parameters.data() + offset, arguments[i], bytes);
    offset += slot_bytes(bytes);
  }
  return launch;
}

Status run_operation(const Operation& operation) {
  if (std::holds_alternative<HostCall>(operation) || std::holds_alternative<WaitEvent>(operation)) {
    return std::visit([](const auto& each) { return run(each); }, operation);
  }
  DeviceMemoryAccess access;
  return std::visit([](const auto& each) { return run(each); }, operation);
}

}  // namespace emulator
