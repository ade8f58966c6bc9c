// Warp collectives, block predicates and atomics, each with a known result. Blocks of 48 threads: the second warp is half full.
#include "common/prelude.cuh"

KERNEL emulator_test_collectives(int* out) {
  int thread = threadIdx.x, lane = thread % WARP;
  unsigned even = __ballot_sync(FULL_WARP, lane % 2 == 0);
  if (thread == 40) out[0] = static_cast<int>(even);  // 0x5555: only 16 lanes exist.
  atomicAdd(out + 1, 1);
  int all = __syncthreads_and(thread < 48), any = __syncthreads_or(thread > 47);
  if (thread == 0) {
    out[2] = all;
    out[3] = any;
  }
  atomicAdd(out + 4, thread);
  atomicMax(out + 5, thread);
  int up = __shfl_up_sync(FULL_WARP, lane, 1), down = __shfl_down_sync(FULL_WARP, lane, 1, 16);
  if (thread == 16) out[6] = up;  // 15.
  int sum = __reduce_add_sync(FULL_WARP, thread);
  if (blockIdx.x == 0 && lane == 0) atomicAdd(out + 7, sum);
  float by_float = __shfl_xor_sync(FULL_WARP, 1.0f, 1);
  atomicAdd(out + 8, static_cast<int>(by_float));
  unsigned ticket = atomicInc(reinterpret_cast<unsigned*>(out) + 10, 95);
  if (ticket == 95) out[9] = static_cast<int>(ticket);
  int odd = __syncthreads_count(thread % 2);
  if (thread == 0) out[11] = odd;
  if (down == -1) out[12] = 1;
}
EXPORT_KERNEL(emulator_test_collectives)
