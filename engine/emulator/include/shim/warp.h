// Warp collectives. All of them are one meeting of the lanes in the mask: each leaves up to 64 bytes, then reads the others'.
#pragma once

#include "shim/execution.h"

#include <string.h>
#include <type_traits>

namespace emulator {

constexpr size_t SLOT_BYTES = 64;

// What the lanes left at a meeting. Valid until the calling lane's next collective.
struct LaneValues {
  const unsigned char* slots;
  unsigned present;

  template <typename T>
  T of(unsigned lane) const {
    T value;
    memcpy(&value, slots + SLOT_BYTES * lane, sizeof(T));
    return value;
  }
};

LaneValues meet_lanes(unsigned mask, const void* value, size_t bytes);

template <typename T>
inline LaneValues meet_lanes(unsigned mask, const T& value) {
  static_assert(sizeof(T) <= SLOT_BYTES, "a lane leaves at most 64 bytes");
  return meet_lanes(mask, &value, sizeof(T));
}

// The value of lane `source`, or the own one where `inside` is false. Reading a lane outside the mask is a fault.
template <typename T>
inline T shuffle(unsigned mask, T value, int source, bool inside) {
  LaneValues values = meet_lanes(mask, value);
  if (!inside) return value;
  if (!(values.present >> source & 1u)) return T(~0ll);  // Undefined on a device.
  return values.of<T>(static_cast<unsigned>(source));
}

template <typename T, typename Combine>
inline T reduce_lanes(unsigned mask, T value, Combine combine) {
  LaneValues values = meet_lanes(mask, value);
  bool first = true;
  T total = value;
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(values.present >> lane & 1u)) continue;
    total = first ? values.of<T>(lane) : combine(total, values.of<T>(lane));
    first = false;
  }
  return total;
}

inline int lane() { return static_cast<int>(current.thread->lane); }

}  // namespace emulator

inline void __syncwarp(unsigned mask = 0xffffffffu) { emulator::meet_lanes(mask, char(0)); }

template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  int lane = emulator::lane();
  return emulator::shuffle(mask, value, (lane & ~(width - 1)) + (source & (width - 1)), true);
}

template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32) {
  int lane = emulator::lane(), source = lane ^ flip;
  return emulator::shuffle(mask, value, source & 31, (source & ~(width - 1)) <= (lane & ~(width - 1)));
}

template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  int lane = emulator::lane(), source = lane + static_cast<int>(delta);
  return emulator::shuffle(mask, value, source & 31, (lane & (width - 1)) + static_cast<int>(delta) < width);
}

template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  int lane = emulator::lane(), source = lane - static_cast<int>(delta);
  return emulator::shuffle(mask, value, source & 31, (lane & (width - 1)) >= static_cast<int>(delta));
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  emulator::LaneValues values = emulator::meet_lanes(mask, static_cast<unsigned char>(predicate != 0));
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; lane++) {
    if ((values.present >> lane & 1u) && values.of<unsigned char>(lane)) bits |= 1u << lane;
  }
  return bits;
}

inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

template <typename T>
inline unsigned __match_any_sync(unsigned mask, T value) {
  emulator::LaneValues values = emulator::meet_lanes(mask, value);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; lane++) {
    if ((values.present >> lane & 1u) && values.of<T>(lane) == value) bits |= 1u << lane;
  }
  return bits;
}

template <typename T>
inline T __reduce_add_sync(unsigned mask, T value) {
  return emulator::reduce_lanes(mask, value, [](T a, T b) { return static_cast<T>(a + b); });
}

template <typename T>
inline T __reduce_max_sync(unsigned mask, T value) {
  return emulator::reduce_lanes(mask, value, [](T a, T b) { return a > b ? a : b; });
}

template <typename T>
inline T __reduce_min_sync(unsigned mask, T value) {
  return emulator::reduce_lanes(mask, value, [](T a, T b) { return a < b ? a : b; });
}

inline unsigned __reduce_or_sync(unsigned mask, unsigned value) {
  return emulator::reduce_lanes(mask, value, [](unsigned a, unsigned b) { return a | b; });
}

inline unsigned __reduce_and_sync(unsigned mask, unsigned value) {
  return emulator::reduce_lanes(mask, value, [](unsigned a, unsigned b) { return a & b; });
}
