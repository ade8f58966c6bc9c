#include "bulk_copies.h"

#include "device_memory.h"
#include "shim/warpgroup.h"

#include <string.h>

namespace emulator {
namespace {

constexpr unsigned COPY_ALIGNMENT = 128, SWIZZLE_ALIGNMENT = 1024;
constexpr int MOST_ARRIVALS = (1 << 20) - 1;
constexpr int64_t MOST_BYTES = (1 << 20) - 1;

}  // namespace

bool Mbarrier::end_phase() {
  if (missing != 0 || bytes != 0) return false;
  missing = arrivals;
  phase++;
  return true;
}

void BulkCopies::reset() {
  barriers_.clear();
  queued_.clear();
}

const char* BulkCopies::init(const void* address, int arrivals) {
  if (reinterpret_cast<uintptr_t>(address) % 8 != 0) return "an mbarrier that does not lie at a multiple of 8 bytes";
  if (arrivals < 1 || arrivals > MOST_ARRIVALS) return "an mbarrier for an impossible number of arrivals";
  if (find(address) != nullptr) return "an mbarrier was made twice";
  barriers_.push_back({address, arrivals, arrivals});
  return nullptr;
}

void BulkCopies::announce() {
  for (Mbarrier& barrier : barriers_) barrier.announced = true;
}

const char* BulkCopies::arrive(const void* address, unsigned expected_bytes, bool& ended) {
  Mbarrier* barrier = find(address);
  if (barrier == nullptr) return "an arrival at an mbarrier that was not made";
  if (barrier->missing == 0) return "more arrivals at an mbarrier than it was made for";
  barrier->missing--;
  barrier->bytes += expected_bytes;
  if (barrier->bytes > MOST_BYTES) return "more bytes expected at an mbarrier than it can count";
  ended = barrier->end_phase();
  return nullptr;
}

const char* BulkCopies::queue(void* shared, const void* map, int dimensions, const int* first, const void* barrier, unsigned (*swizzle)(unsigned),
                              const unsigned char* memory, size_t memory_bytes) {
  Copy copy{static_cast<unsigned char*>(shared), {}, {}, barrier, swizzle};
  memcpy(&copy.map, map, sizeof copy.map);
  for (int i = 0; i < dimensions; i++) copy.first[i] = first[i];
  if (copy.map.mark != TENSOR_MAP_MARK || copy.map.rank != dimensions) return "a bulk copy with what is not the map of a tensor of its dimensions";
  const Mbarrier* known = find(barrier);
  if (known == nullptr) return "a bulk copy for an mbarrier that was not made";
  if (!known->announced) return "a bulk copy for an mbarrier that was not announced to the copy engine";
  const unsigned to = shared_window_address(shared);
  if (to % (copy.map.swizzle == SWIZZLE_NONE ? COPY_ALIGNMENT : SWIZZLE_ALIGNMENT) != 0) {
    return "a bulk copy to shared memory that does not start at a multiple of 128 bytes, or with the swizzle of 1024";
  }
  if (copy.shared < memory || copy.shared + box_bytes(copy.map) > memory + memory_bytes) return "a bulk copy beyond the dynamic shared memory";
  if (!is_device_range(copy.map.address, copy.map.bytes)) return "a bulk copy of a tensor that is not inside one allocation on the device";
  queued_.push_back(copy);
  return nullptr;
}

const Mbarrier* BulkCopies::barrier(const void* address) const { return const_cast<BulkCopies*>(this)->find(address); }

const void* BulkCopies::deliver(size_t which) {
  const Copy copy = queued_[which];
  queued_.erase(queued_.begin() + static_cast<ptrdiff_t>(which));
  perform(copy);
  Mbarrier* barrier = find(copy.barrier);
  barrier->bytes -= box_bytes(copy.map);
  return barrier->end_phase() ? copy.barrier : nullptr;
}

unsigned BulkCopies::box_bytes(const TensorMapFields& map) {
  unsigned bytes = map.element_bytes;
  for (uint16_t count : map.box) bytes *= count;
  return bytes;
}

// Element by element; dimensions that a map has not have one.
void BulkCopies::perform(const Copy& copy) {
  const TensorMapFields& map = copy.map;
  const unsigned size = map.element_bytes;
  unsigned lines = 1, offset = 0;
  for (int i = 1; i < MOST_DIMENSIONS; i++) lines *= map.box[i];
  auto inside = [&](int dimension, int64_t at) { return at >= 0 && at <= static_cast<int64_t>(map.last[dimension]); };
  for (unsigned line = 0; line < lines; line++) {
    bool line_inside = true;
    int64_t start = 0;
    unsigned rest = line;
    for (int i = 1; i < MOST_DIMENSIONS; i++) {
      const int64_t at = copy.first[i] + static_cast<int64_t>(rest % map.box[i]) * map.step[i];
      rest /= map.box[i];
      line_inside = line_inside && inside(i, at);
      start += at * static_cast<int64_t>(map.strides[i - 1]);
    }
    for (int64_t x = copy.first[0]; x < copy.first[0] + map.box[0]; x++, offset += size) {
      unsigned char* to = copy.shared + (map.swizzle == SWIZZLE_NONE ? offset : copy.swizzle(offset));
      if (line_inside && inside(0, x)) {
        memcpy(to, reinterpret_cast<const unsigned char*>(map.address) + start + x * size, size);
      } else {
        memset(to, map.not_a_number != 0 ? 0xff : 0, size);
      }
    }
  }
}

Mbarrier* BulkCopies::find(const void* address) {
  for (Mbarrier& barrier : barriers_) {
    if (barrier.address == address) return &barrier;
  }
  return nullptr;
}

}  // namespace emulator
