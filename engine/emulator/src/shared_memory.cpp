#include "shared_memory.h"

#include "sanitizer.h"
#include "shim/execution.h"

#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

namespace emulator {
namespace {

constexpr int POISON = 0xff;
constexpr size_t ALIGNMENT = 128;

struct ThreadLocalSegment {
  size_t mark;   // Offset of `current`, by which each thread finds its own copy.
  size_t bytes;  // 0: not found, and nothing is poisoned.
};

// Looks for the thread-local segment that holds `current`.
int find_segment(dl_phdr_info* info, size_t, void* result) {
  if (info->dlpi_tls_data == nullptr) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_TLS) continue;
    const auto* begin = static_cast<unsigned char*>(info->dlpi_tls_data);
    const auto* mark = reinterpret_cast<unsigned char*>(&current);
    const size_t bytes = info->dlpi_phdr[i].p_memsz;
    if (mark < begin || mark >= begin + bytes) return 0;
    *static_cast<ThreadLocalSegment*>(result) = {static_cast<size_t>(mark - begin), bytes};
    return 1;
  }
  return 0;
}

const ThreadLocalSegment& segment() {
  static const ThreadLocalSegment found = [] {
    ThreadLocalSegment result{0, 0};
    dl_iterate_phdr(find_segment, &result);
    return result;
  }();
  return found;
}

bool all_poison(const unsigned char* bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return word == ~0ull;
}

}  // namespace

DynamicShared::DynamicShared(size_t bytes) : bytes_(bytes), reserved_((bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT) {
  data_ = reserved_ == 0 ? nullptr : static_cast<unsigned char*>(aligned_alloc(ALIGNMENT, reserved_));
  if (data_ != nullptr) forbid_access(data_ + bytes_, reserved_ - bytes_);
}

DynamicShared::~DynamicShared() {
  if (data_ == nullptr) return;
  allow_access(data_ + bytes_, reserved_ - bytes_);
  free(data_);
}

void DynamicShared::poison() {
  if (data_ != nullptr) memset(data_, POISON, bytes_);
}

StaticShared::StaticShared(const Kernel& kernel)
    : kernel_(kernel), begin_(reinterpret_cast<unsigned char*>(&current) - segment().mark), extent_(kernel.static_extent) {
  if (!extent_.known) extent_ = {false, 0, segment().bytes / sizeof(uint64_t) * sizeof(uint64_t)};
}

// `current` goes too; it is set anew for each block.
void StaticShared::poison() {
  if (extent_.from < extent_.to) memset(begin_ + extent_.from, POISON, extent_.to - extent_.from);
}

void StaticShared::after_block() {
  if (extent_.known) return;
  memset(&current, POISON, sizeof current);
  while (extent_.from < extent_.to && all_poison(begin_ + extent_.from)) extent_.from += sizeof(uint64_t);
  while (extent_.to > extent_.from && all_poison(begin_ + extent_.to - sizeof(uint64_t))) extent_.to -= sizeof(uint64_t);
  extent_.known = true;
  kernel_.static_extent = extent_;
}

}  // namespace emulator
