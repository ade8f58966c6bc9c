// Where the running code is: its thread, its block, and the scheduler that runs the block.
#pragma once

#include "shim/vector_types.h"

#include <stddef.h>

namespace emulator {

class BlockScheduler;

struct Thread {
  uint3 index;
  int ordinal;    // Linear number within the block.
  unsigned lane;  // Number within the warp.
};

struct Block {
  uint3 index;
  dim3 size;
  dim3 grid;
  unsigned char* dynamic_shared;
  size_t dynamic_bytes;
};

struct Current {
  Thread* thread;
  Block* block;
  BlockScheduler* scheduler;
};

// Valid while a kernel runs on this operating system thread. __thread, not thread_local: no initialiser is looked for.
extern __thread Current current;

// Ends the launch with an error; the calling GPU thread never goes on.
[[noreturn]] void fail_kernel(const char* why);

}  // namespace emulator

#define threadIdx (::emulator::current.thread->index)
#define blockIdx (::emulator::current.block->index)
#define blockDim (::emulator::current.block->size)
#define gridDim (::emulator::current.block->grid)
#define warpSize 32
