#include "device_memory.h"

#include "sanitizer.h"
#include "settings.h"

#include <map>
#include <mutex>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace emulator {
namespace {

constexpr size_t GRANULE = 256;
constexpr size_t PAGE = 4096;
constexpr int POISON = 0xff;  // Reads as NaN.

struct Allocation {
  size_t bytes, reserved;
  bool strict;
};

std::mutex memory_lock;
size_t used = 0;
int accesses = 0;

std::map<uint64_t, Allocation>& allocations() {
  static auto* all = new std::map<uint64_t, Allocation>;
  return *all;
}

std::map<uintptr_t, size_t>& pinned() {
  static auto* all = new std::map<uintptr_t, size_t>;
  return *all;
}

size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }
size_t limit() { return static_cast<size_t>(settings.memory_mib) << 20; }
void* pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

void protect_all(int protection) {
  for (const auto& [address, allocation] : allocations()) {
    if (allocation.strict) mprotect(pointer(address), allocation.reserved, protection);
  }
}

}  // namespace

Status allocate_device(size_t bytes, uint64_t* address) {
  std::lock_guard<std::mutex> hold(memory_lock);
  if (bytes == 0) return fail(InvalidValue, "an allocation of 0 bytes");
  const bool strict = settings.strict_memory != 0;
  const size_t reserved = round_up(bytes, strict ? PAGE : GRANULE);
  if (bytes > limit() || used + reserved > limit()) return fail(OutOfMemory, "out of memory");
  void* memory = strict ? mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : aligned_alloc(GRANULE, reserved);
  if (memory == nullptr || memory == MAP_FAILED) return fail(OutOfMemory, "out of memory");
  memset(memory, POISON, reserved);
  forbid_access(static_cast<char*>(memory) + bytes, reserved - bytes);
  if (strict && accesses == 0) mprotect(memory, reserved, PROT_NONE);
  used += reserved;
  *address = reinterpret_cast<uint64_t>(memory);
  allocations()[*address] = {bytes, reserved, strict};
  return Success;
}

Status free_device(uint64_t address) {
  if (address == 0) return Success;
  std::lock_guard<std::mutex> hold(memory_lock);
  auto found = allocations().find(address);
  if (found == allocations().end()) return fail(InvalidValue, "freeing an address that was not allocated");
  const Allocation allocation = found->second;
  allocations().erase(found);
  used -= allocation.reserved;
  if (allocation.strict) {
    munmap(pointer(address), allocation.reserved);
  } else {
    allow_access(pointer(address), allocation.reserved);
    free(pointer(address));
  }
  return Success;
}

void device_memory_info(size_t* free_bytes, size_t* total_bytes) {
  std::lock_guard<std::mutex> hold(memory_lock);
  *total_bytes = limit();
  *free_bytes = used < limit() ? limit() - used : 0;
}

bool is_device_range(uint64_t address, size_t bytes) {
  std::lock_guard<std::mutex> hold(memory_lock);
  auto after = allocations().upper_bound(address);
  if (after == allocations().begin()) return false;
  --after;
  const uint64_t offset = address - after->first;
  return offset <= after->second.bytes && bytes <= after->second.bytes - offset;
}

Status allocate_pinned(size_t bytes, void** address) {
  std::lock_guard<std::mutex> hold(memory_lock);
  if (bytes == 0) return fail(InvalidValue, "an allocation of 0 bytes");
  *address = aligned_alloc(PAGE, round_up(bytes, PAGE));
  if (*address == nullptr) return fail(OutOfMemory, "out of memory");
  pinned()[reinterpret_cast<uintptr_t>(*address)] = bytes;
  return Success;
}

Status free_pinned(void* address) {
  std::lock_guard<std::mutex> hold(memory_lock);
  if (pinned().erase(reinterpret_cast<uintptr_t>(address)) == 0) return fail(InvalidValue, "freeing host memory that was not allocated");
  free(address);
  return Success;
}

bool is_pinned(const void* address) {
  std::lock_guard<std::mutex> hold(memory_lock);
  const auto value = reinterpret_cast<uintptr_t>(address);
  auto after = pinned().upper_bound(value);
  return after != pinned().begin() && value - std::prev(after)->first < std::prev(after)->second;
}

DeviceMemoryAccess::DeviceMemoryAccess() {
  std::lock_guard<std::mutex> hold(memory_lock);
  if (accesses++ == 0) protect_all(PROT_READ | PROT_WRITE);
}

DeviceMemoryAccess::~DeviceMemoryAccess() {
  std::lock_guard<std::mutex> hold(memory_lock);
  if (--accesses == 0) protect_all(PROT_NONE);
}

}  // namespace emulator
