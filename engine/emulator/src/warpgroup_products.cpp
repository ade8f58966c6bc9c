#include "warpgroup_products.h"

#include <string.h>

namespace emulator {
namespace {

constexpr int ROWS = 2, DEPTH = 16;

// The fields of a descriptor, in bytes.
struct Descriptor {
  unsigned address, block, group, base, swizzle;

  explicit Descriptor(uint64_t bits)
      : address(static_cast<unsigned>(bits & 0x3fff) << 4), block(static_cast<unsigned>(bits >> 16 & 0x3fff) << 4),
        group(static_cast<unsigned>(bits >> 32 & 0x3fff) << 4), base(static_cast<unsigned>(bits >> 49 & 7)),
        swizzle(static_cast<unsigned>(bits >> 62)) {}

  const char* fault() const {
    if (swizzle != 1) return "a product's operand is not swizzled by 128 bytes, the only kind that is emulated";
    if (base != 0 || (address >> 7 & 7) != 0) return "a product's operand does not start in the first line of a swizzled pattern";
    return nullptr;
  }

  // Of element `i` across k and `k` along it.
  unsigned element(bool across, unsigned i, unsigned k) const {
    const unsigned at = across ? address + i / 64 * block + i % 64 * 2 + k / 8 * group + k % 8 * 128
                               : address + i / 8 * group + i % 8 * 128 + k * 2;
    return at ^ ((at >> 7 & 7) << 4);
  }
};

// Collects the rows of A and columns of B that a thread's sums need: rows row and row + 8, columns 8 j + 2 p and the next.
class Reader {
 public:
  Reader(const unsigned char* shared, size_t bytes) : shared_(shared), bytes_(bytes) {}

  const char* read(const WarpgroupProduct& product, int thread, std::vector<uint16_t>& operands) {
    const Descriptor a(product.a), b(product.b);
    const char* fault_of_a = product.holds_a ? nullptr : a.fault();
    if (fault_of_a != nullptr) return fault_of_a;
    if (const char* fault = b.fault()) return fault;
    const unsigned in_group = static_cast<unsigned>(thread) % 128, row = in_group / 32 * 16 + in_group % 32 / 4, p = in_group % 4;
    operands.clear();
    operands.reserve(static_cast<size_t>(ROWS + product.columns / 4) * DEPTH);
    for (unsigned i = 0; i < ROWS; i++) {
      for (unsigned k = 0; k < DEPTH; k++) {
        operands.push_back(product.holds_a ? product.rows[i][k] : at(a.element(product.across_a, row + 8 * i, k)));
      }
    }
    for (unsigned column = 0; column < static_cast<unsigned>(product.columns); column += 8) {
      for (unsigned side = 0; side < 2; side++) {
        for (unsigned k = 0; k < DEPTH; k++) operands.push_back(at(b.element(product.across_b, column + 2 * p + side, k)));
      }
    }
    return inside_ ? nullptr : "a product's operand reaches beyond the dynamic shared memory";
  }

 private:
  uint16_t at(unsigned address) {
    const size_t offset = address - SHARED_WINDOW;
    uint16_t value = 0;
    if (address < SHARED_WINDOW || offset + sizeof value > bytes_) {
      inside_ = false;
    } else {
      memcpy(&value, shared_ + offset, sizeof value);
    }
    return value;
  }

  const unsigned char* shared_;
  size_t bytes_;
  bool inside_ = true;
};

float value_of(uint16_t bf16) {
  const uint32_t bits = static_cast<uint32_t>(bf16) << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void add_products(const WarpgroupProduct& product, const std::vector<uint16_t>& operands) {
  float rows[ROWS][DEPTH], column[DEPTH];
  for (int i = 0; i < ROWS * DEPTH; i++) rows[i / DEPTH][i % DEPTH] = value_of(operands[static_cast<size_t>(i)]);
  const uint16_t* next = operands.data() + ROWS * DEPTH;
  for (int c = 0; c < product.columns / 4; c++, next += DEPTH) {
    for (int k = 0; k < DEPTH; k++) column[k] = value_of(next[k]);
    for (int i = 0; i < ROWS; i++) {
      float& sum = product.sums[c / 2 * 4 + 2 * i + c % 2];
      float added = sum;
      for (int k = 0; k < DEPTH; k++) added += rows[i][k] * column[k];
      sum = added;
    }
  }
}

}  // namespace

void WarpgroupProducts::reset() {
  open_.clear();
  committed_.clear();
  fenced_ = false;
}

const char* WarpgroupProducts::queue(const WarpgroupProduct& product, int thread, unsigned char* shared, size_t shared_bytes) {
  if (!fenced_) return "a product was started without a fence before its group";
  open_.push_back({product, {}});
  return Reader(shared, shared_bytes).read(product, thread, open_.back().operands);
}

void WarpgroupProducts::commit() {
  committed_.push_back(std::move(open_));
  open_.clear();
  fenced_ = false;
}

const char* WarpgroupProducts::wait(int keep, int thread, unsigned char* shared, size_t shared_bytes) {
  std::vector<uint16_t> now;
  while (static_cast<int>(committed_.size()) > keep) {
    for (const Started& started : committed_.front()) {
      if (const char* fault = Reader(shared, shared_bytes).read(started.product, thread, now)) return fault;
      // On a device the operands are read some time between the start and the wait.
      if (now != started.operands) return "the operands of a product changed before it was waited for";
      add_products(started.product, started.operands);
    }
    committed_.pop_front();
  }
  return nullptr;
}

}  // namespace emulator
