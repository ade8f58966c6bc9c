// The box of a tensor of f32 that a bulk copy brings, in the order it has in shared memory, and planted faults.
#include "common/bulk_copy.cuh"

namespace {

enum Fault { NONE, MISSING_WAIT, MISSING_ARRIVAL, MISSING_EXPECTATION, MISSING_ANNOUNCEMENT, MISPLACED, OUTSIDE, UNMADE, TOO_MANY };

// Two threads: the first copies, the second reads `count` words of the box at x, y, z.
template <Fault Planted>
__device__ void bulk_copy(const TensorMap& map, int x, int y, int z, unsigned bytes, int count, float* out) {
  DYNAMIC_SHARED(unsigned char, memory);
  __shared__ uint64_t barrier, other;
  unsigned char* box = memory + (-shared_address(memory) & (SWIZZLE_ALIGNMENT - 1));
  if (threadIdx.x == 0) {
    mbarrier_init(&barrier, 1);
    if (Planted != MISSING_ANNOUNCEMENT) mbarrier_announce();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    if (Planted == MISPLACED) box += 128;
    if (Planted == OUTSIDE) box += 64 * SWIZZLE_ALIGNMENT;
    bulk_copy_3d(box, map, x, y, z, Planted == UNMADE ? &other : &barrier);
    if (Planted == MISSING_EXPECTATION) {
      mbarrier_arrive(&barrier);
    } else if (Planted != MISSING_ARRIVAL) {
      mbarrier_arrive_expect(&barrier, bytes);
    }
    if (Planted == TOO_MANY) mbarrier_arrive(&barrier);
  } else {
    if (Planted != MISSING_WAIT) mbarrier_wait(&barrier, 0);
    for (int i = 0; i < count; i++) out[i] = reinterpret_cast<const float*>(box)[i];
  }
  if (Planted == MISSING_WAIT) mbarrier_wait(&barrier, 0);
}

}  // namespace

#define BULK_COPY(name, fault)                                                                                                    \
  KERNEL emulator_test_bulk_copy_##name(const __grid_constant__ TensorMap map, int x, int y, int z, unsigned bytes, int count,    \
                                        float* __restrict__ out) {                                                                \
    bulk_copy<fault>(map, x, y, z, bytes, count, out);                                                                            \
  }                                                                                                                               \
  EXPORT_KERNEL(emulator_test_bulk_copy_##name)

BULK_COPY(plain, NONE)
BULK_COPY(missing_wait, MISSING_WAIT)
BULK_COPY(missing_arrival, MISSING_ARRIVAL)
BULK_COPY(missing_expectation, MISSING_EXPECTATION)
BULK_COPY(missing_announcement, MISSING_ANNOUNCEMENT)
BULK_COPY(misplaced, MISPLACED)
BULK_COPY(outside, OUTSIDE)
BULK_COPY(unmade, UNMADE)
BULK_COPY(too_many, TOO_MANY)

// The same of four dimensions.
KERNEL emulator_test_bulk_copy_of_maps(const __grid_constant__ TensorMap map, int x, int y, int z, int w, unsigned bytes, float* __restrict__ out) {
  DYNAMIC_SHARED(unsigned char, memory);
  __shared__ uint64_t barrier;
  unsigned char* box = memory + (-shared_address(memory) & (SWIZZLE_ALIGNMENT - 1));
  if (threadIdx.x == 0) {
    mbarrier_init(&barrier, 1);
    mbarrier_announce();
    mbarrier_arrive_expect(&barrier, bytes);
    bulk_copy_4d(box, map, x, y, z, w, &barrier);
  }
  __syncthreads();
  mbarrier_wait(&barrier, 0);
  for (unsigned i = threadIdx.x; i < bytes / 4; i += blockDim.x) out[i] = reinterpret_cast<const float*>(box)[i];
}
EXPORT_KERNEL(emulator_test_bulk_copy_of_maps)

// Two copies of the box, one word of each: the second thread waits for the newer one only.
KERNEL emulator_test_bulk_copy_order(const __grid_constant__ TensorMap map, unsigned bytes, float* __restrict__ out) {
  DYNAMIC_SHARED(unsigned char, memory);
  __shared__ uint64_t barriers[2];
  unsigned char* boxes = memory + (-shared_address(memory) & (SWIZZLE_ALIGNMENT - 1));
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; i++) mbarrier_init(&barriers[i], 1);
    mbarrier_announce();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; i++) {
      mbarrier_arrive_expect(&barriers[i], bytes);
      bulk_copy_3d(boxes + i * SWIZZLE_ALIGNMENT, map, 0, 0, 0, &barriers[i]);
    }
  } else {
    mbarrier_wait(&barriers[1], 0);
    for (int i = 0; i < 2; i++) out[i] = *reinterpret_cast<const float*>(boxes + i * SWIZZLE_ALIGNMENT);
  }
  mbarrier_wait(&barriers[0], 0);
}
EXPORT_KERNEL(emulator_test_bulk_copy_order)

// The first thread says that a value is there before it is.
KERNEL emulator_test_mbarrier_early_arrival(float* __restrict__ out) {
  __shared__ uint64_t barrier;
  __shared__ float value;
  if (threadIdx.x == 0) {
    mbarrier_init(&barrier, 1);
    value = 1.0f;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    mbarrier_arrive(&barrier);
    value = 2.0f;
  } else {
    mbarrier_wait(&barrier, 0);
    out[0] = value;
  }
}
EXPORT_KERNEL(emulator_test_mbarrier_early_arrival)

// One thread that passes a barrier's phases: the parity of each, and that a later phase waits anew.
KERNEL emulator_test_mbarrier_phases(int* __restrict__ out) {
  __shared__ uint64_t barrier;
  mbarrier_init(&barrier, 2);
  mbarrier_wait(&barrier, 1);  // Of the phase before the first: passes.
  for (int phase = 0; phase < 3; phase++) {
    mbarrier_arrive(&barrier);
    mbarrier_arrive(&barrier);
    mbarrier_wait(&barrier, phase & 1);
    out[phase] = phase;
  }
  mbarrier_arrive(&barrier);
  mbarrier_wait(&barrier, 1);  // The last that ended was of parity 0.
}
EXPORT_KERNEL(emulator_test_mbarrier_phases)
