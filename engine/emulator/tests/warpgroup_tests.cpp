// Products of a warpgroup against plain loops, and the faults that the emulator sees in them.
#include "testing.h"

#include <stdint.h>
#include <string.h>

using namespace testing;

namespace {

std::vector<float> bf16_values(size_t count, unsigned seed) {
  auto values = normal_values(count, seed);
  for (float& value : values) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= 0xffff0000u;
    memcpy(&value, &bits, sizeof bits);
  }
  return values;
}

constexpr int ROWS = 64, COLUMNS = 128, DEPTH = 64;

int try_warpgroup(const std::string& kind, const DeviceArray<>& a, const DeviceArray<>& b, const DeviceArray<>& c) {
  const unsigned bytes = (ROWS + COLUMNS) * 128 + 1024;
  return try_launch(("emulator_test_warpgroup_" + kind).c_str(), {1, 128, 1, 1, 1, 1, bytes}, a.address(), b.address(), c.address());
}

double warpgroup_error(const std::string& kind) {
  std::vector<float> a = bf16_values(ROWS * DEPTH, 1), b = bf16_values(DEPTH * COLUMNS, 2);
  std::vector<float> want(ROWS * COLUMNS);
  for (int i = 0; i < ROWS; i++) {
    for (int j = 0; j < COLUMNS; j++) {
      double sum = 0.0;
      for (int k = 0; k < DEPTH; k++) sum += static_cast<double>(a[i * DEPTH + k]) * b[k * COLUMNS + j];
      want[i * COLUMNS + j] = static_cast<float>(sum / DEPTH);
    }
  }
  DeviceArray<> device_a(a), device_b(b), c(want.size());
  CHECK(try_warpgroup(kind, device_a, device_b, c));
  return difference(c.read(), want);
}

std::string warpgroup_fault(const std::string& kind) {
  DeviceArray<> a(bf16_values(ROWS * DEPTH, 1)), b(bf16_values(DEPTH * COLUMNS, 2)), c(ROWS * COLUMNS);
  const int status = try_warpgroup(kind, a, b, c);
  return status == 0 ? "" : failure_text(status);
}

}  // namespace

TEST(warpgroup_product) {
  for (int order = 0; order < 3; order++) {
    Switch chosen("order", order, 0);
    for (const char* kind : {"nn", "nt", "tn", "tt"}) EXPECT(warpgroup_error(kind) < TOLERANCE);
  }
}

TEST(missing_wait_for_a_warpgroup_product_shows) { EXPECT(!(warpgroup_error("missing_wait") < 0.02)); }

TEST(faults_of_warpgroup_products_are_named) {
  EXPECT(warpgroup_fault("overwritten").find("changed before it was waited for") != std::string::npos);
  EXPECT(warpgroup_fault("missing_fence").find("without a fence") != std::string::npos);
  EXPECT(warpgroup_fault("misplaced").find("first line of a swizzled pattern") != std::string::npos);
  EXPECT(warpgroup_fault("outside").find("beyond the dynamic shared memory") != std::string::npos);
  Switch capability("capability", 89, 90);
  EXPECT(warpgroup_fault("nn").find("compute capability 9.0") != std::string::npos);
}

// Address 0x12400, blocks of 8 KiB, groups of 1 KiB, swizzled by 128 bytes.
TEST(operand_descriptor_by_hand) {
  DeviceArray<uint64_t> descriptor(1);
  launch("emulator_test_operand_descriptor", {1, 1}, 0x12400u, 8192u, 1024u, descriptor.address());
  EXPECT(descriptor.read()[0] == 0x4000004002001240u);
}
