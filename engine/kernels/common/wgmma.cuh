// Matrix products of a warpgroup (4 warps, the first a multiple of 4) on Hopper, whose operands the tensor cores read from shared memory
// themselves. With tensor_core.cuh and bulk_copy.cuh the only place with inline PTX; the emulator has its own bodies under the same names.
//
// A tile of an operand is 64 of k by a multiple of 64 rows or columns of the product, in lines of 128 bytes, swizzled: 16-byte unit u of line l
// lies at unit u ^ (l % 8), so that 8 lines of one unit, and 8 units of one line, touch all banks. It starts at a multiple of 1024 bytes.
//   k along the lines:  line i holds the 64 of k of row i; 8 lines are a group, groups follow each other.
//   k across the lines: line q of block b holds 64 rows from 64 b on, of q along k; 64 lines are a block.
//
// What HAS_WGMMA guards is for sm_90a: NVRTC 12 or later with -DHAS_SM90A=1, or the emulator.
#pragma once
#include "common/tensor_core.cuh"

// Multiples of this many bytes start tiles.
constexpr unsigned SWIZZLE_ALIGNMENT = 1024;

// Bytes of a line of a tile.
constexpr unsigned SWIZZLE_LINE = 128;

// Where a byte of a tile lies, by its offset without swizzling.
__device__ __forceinline__ unsigned swizzled(unsigned offset) { return offset ^ ((offset >> 7 & 7) << 4); }

// What the tensor cores are told of an operand: where it starts, how far apart blocks of 64 rows (k across the lines) and groups of 8 lines are.
__device__ __forceinline__ uint64_t operand_descriptor(unsigned address, unsigned block_bytes, unsigned group_bytes) {
  const uint64_t swizzle_of_128_bytes = 1;
  return uint64_t(address >> 4) | uint64_t(block_bytes >> 4) << 16 | uint64_t(group_bytes >> 4) << 32 | swizzle_of_128_bytes << 62;
}

#ifdef SPK_EMULATOR
#define HAS_WGMMA
#include "emulated_wgmma.h"
#elif __CUDACC_VER_MAJOR__ >= 12 && HAS_SM90A
#define HAS_WGMMA

// Makes what this thread wrote to shared memory visible to the tensor cores; before the barrier that announces it.
__device__ __forceinline__ void fence_for_tensor_cores() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Before the first product of a group: the sums were written by others than products.
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Keeps the compiler from writing to sums, or to a first operand in registers, later than here: ahead of the fence.
template <int Count>
__device__ __forceinline__ void wgmma_hold(float (&values)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; i++) asm volatile("" : "+f"(values[i])::"memory");
}

template <int Count>
__device__ __forceinline__ void wgmma_hold(uint32_t (&values)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; i++) asm volatile("" : "+r"(values[i])::"memory");
}

__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Waits for all groups of products but the newest `Keep`: until then nobody may overwrite their operands.
template <int Keep>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Keep) : "memory");
}

// Waits for all products; not until then may the sums be read.
template <int Count>
__device__ __forceinline__ void wgmma_finish(float (&d)[Count]) {
  wgmma_wait<0>();
  wgmma_hold(d);  // Nor may the compiler read them earlier.
}

#define SPK_SUMS_8(i) \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define SPK_SUMS_32(i) SPK_SUMS_8(i), SPK_SUMS_8(i + 8), SPK_SUMS_8(i + 16), SPK_SUMS_8(i + 24)

#define SPK_NAMES_32 \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15" \
  ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define SPK_NAMES_64 \
  SPK_NAMES_32       \
  ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47" \
  ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define SPK_NAMES_128 \
  SPK_NAMES_64        \
  ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79" \
  ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95" \
  ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111" \
  ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"

// d += A · B for 64 rows, 64, 128 or 256 columns and 16 of k, bf16 in, f32 sums. AcrossA, AcrossB: k across the lines. Thread t of the warpgroup has,
// with g = t % 32 / 4 and j = t % 4, in d[4 i] and d[4 i + 1] row 16 (t / 32) + g, columns 8 i + 2 j and + 1; in d[4 i + 2] and d[4 i + 3] the same of
// row + 8. A of wgmma_bf16_held lies in registers instead, pairs along k: a[0] and a[1] the rows of d[0] and d[2], k = 2 j and + 1; a[2] and a[3] those
// with k + 8. That is d of a product before, two of its pairs of columns a register.
#define SPK_PRODUCT(count, columns, from_shared, from_registers, ...)                                                                       \
  template <bool AcrossA, bool AcrossB>                                                                                                      \
  __device__ __forceinline__ void wgmma_bf16(float (&d)[count], uint64_t a, uint64_t b) {                                                    \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32.bf16.bf16 {" SPK_NAMES_##count "}, " from_shared ";"                  \
                 : __VA_ARGS__                                                                                                                      \
                 : "l"(a), "l"(b), "n"(AcrossA ? 1 : 0), "n"(AcrossB ? 1 : 0));                                                              \
  }                                                                                                                                          \
  template <bool AcrossB>                                                                                                                    \
  __device__ __forceinline__ void wgmma_bf16_held(float (&d)[count], const uint32_t (&a)[4], uint64_t b) {                                   \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32.bf16.bf16 {" SPK_NAMES_##count "}, " from_registers ";"               \
                 : __VA_ARGS__                                                                                                                      \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(AcrossB ? 1 : 0));                                                \
  }

SPK_PRODUCT(32, 64, "%32, %33, 1, 1, 1, %34, %35", "{%32,%33,%34,%35}, %36, 1, 1, 1, %37", SPK_SUMS_32(0))
SPK_PRODUCT(64, 128, "%64, %65, 1, 1, 1, %66, %67", "{%64,%65,%66,%67}, %68, 1, 1, 1, %69", SPK_SUMS_32(0), SPK_SUMS_32(32))
SPK_PRODUCT(128, 256, "%128, %129, 1, 1, 1, %130, %131", "{%128,%129,%130,%131}, %132, 1, 1, 1, %133", SPK_SUMS_32(0), SPK_SUMS_32(32),
            SPK_SUMS_32(64), SPK_SUMS_32(96))

#undef SPK_PRODUCT
#undef SPK_NAMES_128
#undef SPK_NAMES_64
#undef SPK_NAMES_32
#undef SPK_SUMS_8
#undef SPK_SUMS_32

#endif
