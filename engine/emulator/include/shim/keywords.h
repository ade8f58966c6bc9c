// CUDA's keywords as macros.
#pragma once

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __constant__ static

// A block never leaves the operating system's thread that runs it, so a thread's variable is the block's variable.
#define __shared__ static thread_local

#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(::emulator::current.block->dynamic_shared)
