// Work that a stream holds or a graph replays.
#pragma once

#include "launch.h"

#include <memory>
#include <stdint.h>
#include <variant>
#include <vector>

namespace emulator {

struct Event;

struct KernelLaunch {
  const Kernel* kernel;
  LaunchShape shape;
  std::vector<unsigned char> parameters;  // All of them, one after another, each at a multiple of 16.
};

// Rows of `width` bytes; a plain copy is one row.
struct CopyRows {
  void* destination;
  size_t destination_pitch;
  const void* source;
  size_t source_pitch;
  size_t width, rows;
  std::shared_ptr<std::vector<unsigned char>> staged;  // What the source holds, where it may change before the copy.
};

struct Fill {
  void* address;
  uint32_t value;
  int value_bytes;  // 1 or 4.
  size_t count;
};

struct HostCall {
  void (*function)(void*);
  void* data;
};

struct RecordEvent {
  std::shared_ptr<Event> event;
  uint64_t number;
};

struct WaitEvent {
  std::shared_ptr<Event> event;
  uint64_t number;
};

using Operation = std::variant<KernelLaunch, CopyRows, Fill, HostCall, RecordEvent, WaitEvent>;

KernelLaunch make_launch(const Kernel& kernel, const LaunchShape& shape, void** arguments);

Status run_operation(const Operation& operation);

}  // namespace emulator
