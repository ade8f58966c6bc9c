// Descriptions of tensors for the copy engine of compute capability 9.0, refused for what the driver's documentation forbids.
#include "driver_api.h"
#include "settings.h"
#include "tensor_map.h"

#include <algorithm>
#include <string.h>

using namespace emulator;

namespace {

constexpr uint64_t MOST_EXTENT = 1ull << 32, MOST_STRIDE = 1ull << 40;
constexpr unsigned MOST_BOX = 256, MOST_STEP = 8, ADDRESS_ALIGNMENT = 16, MAP_ALIGNMENT = 64;
constexpr int TYPES = 13, SWIZZLES = 4, PROMOTIONS = 4, FILLS = 2;

// By CUtensorMapDataType: 8, 16, 32, 32, 64, 64 bits of integers, f16, f32, f64, bf16, f32 and tf32 in two ways.
constexpr uint8_t ELEMENT_BYTES[TYPES] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
constexpr int FIRST_FLOATING_TYPE = 6;
constexpr unsigned SWIZZLED_BYTES[SWIZZLES] = {0, 32, 64, 128};

Status refuse(const std::string& why) { return fail(InvalidValue, "a tensor map " + why); }

std::string dimension(int number) { return "dimension " + std::to_string(number); }

}  // namespace

DRIVER_API cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address, const uint64_t* extents, const uint64_t* strides,
                                  const unsigned* box, const unsigned* steps, int interleave, int swizzle, int promotion, int fill) {
  if (settings.capability < 90) return fail(NotSupported, "tensor maps need compute capability 9.0");
  if (map == nullptr || reinterpret_cast<uint64_t>(map) % MAP_ALIGNMENT != 0) return refuse("has to lie at a multiple of 64 bytes");
  if (type < 0 || type >= TYPES) return refuse("of an unknown type of elements");
  if (rank < 1 || rank > MOST_DIMENSIONS) return refuse("has 1 to 5 dimensions, not " + std::to_string(rank));
  if (interleave != 0) return fail(NotSupported, "the emulator has no interleaved tensor maps");
  if (address == nullptr || reinterpret_cast<uint64_t>(address) % ADDRESS_ALIGNMENT != 0) {
    return refuse("describes memory that does not start at a multiple of 16 bytes");
  }
  if (swizzle < 0 || swizzle >= SWIZZLES || promotion < 0 || promotion >= PROMOTIONS || fill < 0 || fill >= FILLS) {
    return refuse("with an unknown kind of swizzle, of promotion or of filling");
  }
  if (fill != 0 && type < FIRST_FLOATING_TYPE) return refuse("of integers cannot be filled with NaN");
  TensorMapFields fields{TENSOR_MAP_MARK, reinterpret_cast<uint64_t>(address), {}, 0, {}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}, ELEMENT_BYTES[type], static_cast<uint8_t>(rank),
                         static_cast<uint8_t>(swizzle), static_cast<uint8_t>(fill)};
  uint64_t span = fields.element_bytes;  // Bytes of an element, then of a line, a plane, ….
  for (int i = 0; i < static_cast<int>(rank); i++) {
    if (extents[i] == 0 || extents[i] > MOST_EXTENT) return refuse("has 1 to 2^32 elements along " + dimension(i));
    if (box[i] == 0 || box[i] > MOST_BOX) return refuse("has boxes of 1 to 256 elements along " + dimension(i) + ", not " + std::to_string(box[i]));
    if (steps[i] == 0 || steps[i] > MOST_STEP) return refuse("has steps of 1 to 8 elements along " + dimension(i));
    fields.last[i] = static_cast<uint32_t>(extents[i] - 1);
    if (i > 0) fields.step[i] = static_cast<uint8_t>(steps[i]);  // Without interleaving that of the innermost dimension is ignored.
    fields.box[i] = static_cast<uint16_t>((box[i] + fields.step[i] - 1) / fields.step[i]);
    fields.bytes += (extents[i] - 1) * span;
    if (i + 1 == static_cast<int>(rank)) break;
    const uint64_t stride = strides[i];
    if (stride % ADDRESS_ALIGNMENT != 0 || stride >= MOST_STRIDE) {
      return refuse("has strides of multiples of 16 bytes below 2^40, not " + std::to_string(stride) + " along " + dimension(i + 1));
    }
    if (stride < extents[i] * span) return refuse("has elements that overlap along " + dimension(i + 1));
    if (i > 0 && stride % span != 0) return refuse("has a stride along " + dimension(i + 1) + " that is no multiple of the one before");
    fields.strides[i] = span = stride;
  }
  fields.bytes += fields.element_bytes;
  const unsigned line = box[0] * fields.element_bytes;
  if (line % ADDRESS_ALIGNMENT != 0) return refuse("has boxes whose lines are multiples of 16 bytes, not of " + std::to_string(line));
  if (swizzle != 0 && line > SWIZZLED_BYTES[swizzle]) {
    return refuse("has boxes with lines of " + std::to_string(line) + " bytes, more than the swizzle of " + std::to_string(SWIZZLED_BYTES[swizzle]));
  }
  if (swizzle != SWIZZLE_NONE && swizzle != SWIZZLE_128_BYTES) return fail(NotSupported, "the emulator has no swizzle but that of 128 bytes");
  memset(map, 0, 128);
  memcpy(map, &fields, sizeof fields);
  return Success;
}
