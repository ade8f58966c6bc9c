// What the emulator keeps in the 128 bytes of a CUtensorMap. The address lies in a word of its own, where a recorded launch finds it.
#pragma once

#include <stdint.h>

namespace emulator {

constexpr int MOST_DIMENSIONS = 5;

struct TensorMapFields {
  uint64_t mark;
  uint64_t address;
  uint64_t strides[MOST_DIMENSIONS - 1];  // Bytes, from the second dimension on.
  uint64_t bytes;                         // Of the tensor, from its address on.
  uint32_t last[MOST_DIMENSIONS];         // Index of the last element.
  uint16_t box[MOST_DIMENSIONS];          // Elements that a copy brings, 1 in dimensions beyond the rank.
  uint8_t step[MOST_DIMENSIONS];          // From one of them to the next.
  uint8_t element_bytes, rank, swizzle, not_a_number;
};
static_assert(sizeof(TensorMapFields) <= 128, "a map has 128 bytes");

constexpr uint64_t TENSOR_MAP_MARK = 0x50414d524f534e54;  // "TNSORMAP".
constexpr uint8_t SWIZZLE_NONE = 0, SWIZZLE_128_BYTES = 3;

}  // namespace emulator
