// What every kernel file starts with: integer types, the kernel macros, dynamic shared memory.
//
// The same sources pass three compilers: NVRTC 11.8 and later (device code), and g++ (the CPU emulator, which defines
// SPK_EMULATOR and includes its own definitions of CUDA's keywords before this file).
#pragma once

#ifndef SPK_EMULATOR
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;

// One raw array serves every type: two extern arrays of different types under one name are an error.
#define DYNAMIC_SHARED(type, name)                              \
  extern __shared__ __align__(128) unsigned char dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(dynamic_shared)

// Makes a kernel known to the emulator by name; nothing on a device, where the driver finds it in the module.
#define EXPORT_KERNEL(name)
#endif

// extern "C": the driver finds kernels by their plain names.
#define KERNEL extern "C" __global__ void

constexpr unsigned FULL_WARP = 0xffffffffu;
constexpr int WARP = 32;

__device__ __forceinline__ int divide_up(int value, int by) { return (value + by - 1) / by; }

#define KERNEL_BOUNDS(threads) extern "C" __global__ void __launch_bounds__(threads)

// Where the number of blocks for a multiprocessor is named, because compilers would otherwise spill registers to fit one block more.
#define KERNEL_BLOCKS(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
