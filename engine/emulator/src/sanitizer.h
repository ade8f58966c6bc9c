// What AddressSanitizer has to be told: poisoned tails of allocations, and switches between stacks.
#pragma once

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SPK_ADDRESS_SANITIZER 1
#else
#define SPK_ADDRESS_SANITIZER 0
#endif

namespace emulator {

constexpr bool ADDRESS_SANITIZER = SPK_ADDRESS_SANITIZER;

inline void forbid_access([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#if SPK_ADDRESS_SANITIZER
  __asan_poison_memory_region(address, bytes);
#endif
}

inline void allow_access([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#if SPK_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(address, bytes);
#endif
}

inline void before_switch([[maybe_unused]] void** saved, [[maybe_unused]] const void* stack, [[maybe_unused]] size_t bytes) {
#if SPK_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(saved, stack, bytes);
#endif
}

inline void after_switch([[maybe_unused]] void* saved, [[maybe_unused]] const void** from, [[maybe_unused]] size_t* bytes) {
#if SPK_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(saved, from, bytes);
#endif
}

}  // namespace emulator
