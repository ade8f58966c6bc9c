#include "shared_memory.h"

#include "sanitizer.h"
#include "shim/execution.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

namespace emulator {
namespace {

constexpr int POISON = 0xff;
constexpr size_t ALIGNMENT = 128;

struct ThreadLocalRange {
  unsigned char* begin;
  size_t bytes;
};

// Finds the calling thread's copy of the thread-local segment that holds `current`.
int find_range(dl_phdr_info* info, size_t, void* result) {
  if (info->dlpi_tls_data == nullptr) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_TLS) continue;
    auto* begin = static_cast<unsigned char*>(info->dlpi_tls_data);
    const size_t bytes = info->dlpi_phdr[i].p_memsz;
    auto* mark = reinterpret_cast<unsigned char*>(&current);
    if (mark < begin || mark >= begin + bytes) return 0;
    *static_cast<ThreadLocalRange*>(result) = {begin, bytes};
    return 1;
  }
  return 0;
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

StaticShared::StaticShared() {
  ThreadLocalRange range{nullptr, 0};
  dl_iterate_phdr(find_range, &range);
  begin_ = range.begin;
  bytes_ = to_ = range.bytes;
}

// Nothing of the emulator's own may live there across a block: Current and the fiber being started are set anew each time.
void StaticShared::poison() {
  if (begin_ != nullptr && from_ < to_) memset(begin_ + from_, POISON, to_ - from_);
}

void StaticShared::after_block() {
  if (!first_) return;
  first_ = false;
  while (from_ < to_ && begin_[from_] == POISON) from_++;
  while (to_ > from_ && begin_[to_ - 1] == POISON) to_--;
}

}  // namespace emulator
