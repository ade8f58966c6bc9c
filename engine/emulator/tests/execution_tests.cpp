// Kernels against plain loops, in all thread orders.
#include "testing.h"

#include <algorithm>

using namespace testing;

namespace {

constexpr int ORDERS = 3;

std::vector<float> block_sums(const std::vector<float>& x, int block) {
  std::vector<float> sums((x.size() + block - 1) / block);
  for (size_t b = 0; b < sums.size(); b++) {
    double sum = 0.0;
    for (size_t i = b * block; i < std::min(x.size(), (b + 1) * block); i++) sum += x[i];
    sums[b] = static_cast<float>(sum);
  }
  return sums;
}

double block_sum_error(const char* kernel) {
  const auto x = normal_values(1000);
  DeviceArray<> in(x), out(4);
  launch(kernel, {4, 256}, in.address(), out.address(), 1000);
  return difference(out.read(), block_sums(x, 256));
}

template <typename Body>
void in_all_orders(Body body) {
  for (int order = 0; order < ORDERS; order++) {
    Switch chosen("order", order, 0);
    body();
  }
}

double gemm_error(const char* kernel, unsigned tile_columns) {
  const int rows = 37, columns = 29, depth = 45;
  const auto a = normal_values(rows * depth, 2), b = normal_values(depth * columns, 3);
  std::vector<float> expected(rows * columns);
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < columns; j++) {
      double sum = 0.0;
      for (int k = 0; k < depth; k++) sum += static_cast<double>(a[i * depth + k]) * b[k * columns + j];
      expected[i * columns + j] = static_cast<float>(sum);
    }
  }
  DeviceArray<> left(a), right(b), out(expected.size());
  Shape shape{(columns + tile_columns - 1) / tile_columns, 32, (rows + 15) / 16};
  launch(kernel, shape, left.address(), right.address(), out.address(), rows, columns, depth);
  return difference(out.read(), expected);
}

}  // namespace

TEST(vector_add) {
  in_all_orders([] {
    const auto a = normal_values(1000, 1), b = normal_values(1000, 2);
    DeviceArray<> left(a), right(b), out(1000);
    launch("emulator_test_vector_add", {4, 256}, left.address(), right.address(), out.address(), 1000);
    const auto sum = out.read();
    for (int i = 0; i < 1000; i++) EXPECT(sum[i] == a[i] + b[i]);
  });
}

TEST(block_sum) {
  in_all_orders([] { EXPECT(block_sum_error("emulator_test_block_sum") < 1e-4); });
}

// A missing barrier is right in one order: that is why there are three.
TEST(missing_barrier_shows_in_some_order) {
  int wrong = 0;
  in_all_orders([&] { wrong += !(block_sum_error("emulator_test_missing_barrier") < 1e-4); });
  EXPECT(wrong > 0);
}

TEST(blocks_on_several_threads) {
  Switch workers("workers", 3, 1);
  in_all_orders([] { EXPECT(block_sum_error("emulator_test_block_sum") < 1e-4); });
}

TEST(softmax) {
  in_all_orders([] {
    const int rows = 5, columns = 300;
    const auto x = normal_values(rows * columns);
    std::vector<float> expected(x.size());
    for (int r = 0; r < rows; r++) {
      double sum = 0.0;
      for (int i = 0; i < columns; i++) sum += exp(static_cast<double>(x[r * columns + i]));
      for (int i = 0; i < columns; i++) expected[r * columns + i] = static_cast<float>(exp(static_cast<double>(x[r * columns + i])) / sum);
    }
    DeviceArray<> in(x), out(x.size());
    Shape shape{rows, 128};
    shape.dynamic_bytes = 128 * sizeof(float);
    launch("emulator_test_softmax", shape, in.address(), out.address(), columns);
    EXPECT(difference(out.read(), expected) < 1e-6);
  });
}

// bf16 keeps 8 bits, tf32 11: errors of 45 products of normal values.
TEST(tensor_core_bf16) {
  in_all_orders([] { EXPECT(gemm_error("emulator_test_gemm_bf16", 16) < 0.15); });
}

TEST(tensor_core_tf32) {
  in_all_orders([] { EXPECT(gemm_error("emulator_test_gemm_tf32", 8) < 0.02); });
}

TEST(missing_wait_for_async_copies_shows) { EXPECT(!(gemm_error("emulator_test_missing_wait", 8) < 0.02)); }

TEST(uninitialised_shared_memory_is_nan) {
  DeviceArray<> out(128);
  Shape shape{3, 64};
  shape.dynamic_bytes = 64 * sizeof(float);
  for (int repeat = 0; repeat < 2; repeat++) {
    launch("emulator_test_uninitialised_shared", shape, out.address());
    for (float value : out.read()) EXPECT(value != value);
  }
}

TEST(collectives_and_atomics) {
  in_all_orders([] {
    DeviceArray<int> out(std::vector<int>(40, 0));
    launch("emulator_test_collectives", {2, 48}, out.address());
    const auto got = out.read();
    const int expected[] = {
        0x5555, 96, 1, 0, 47 * 48, 47, 15, 1128, 96, 95, 0, 24,
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
      if (got[i] != expected[i]) fail("collectives", static_cast<int>(i), std::to_string(got[i]) + " instead of " + std::to_string(expected[i]));
    }
  });
}

TEST(deadlock_is_reported) {
  DeviceArray<> out(64);
  EXPECT(try_launch("emulator_test_divergent_barrier", {1, 64}, out.address(), 40) == 719);
  const auto text = failure_text(719);
  EXPECT(text.find("40 threads at __syncthreads, 24 at a warp collective, 0 ended") != std::string::npos);
  // The emulator goes on afterwards.
  EXPECT(block_sum_error("emulator_test_block_sum") < 1e-4);
}

TEST(launches_the_driver_would_refuse) {
  DeviceArray<> out(64);
  const auto status = [&](Shape shape) { return try_launch("emulator_test_uninitialised_shared", shape, out.address()); };
  Shape large{1, 1};
  EXPECT(status({1, 1025}) == 1);
  EXPECT(status({0, 32}) == 1);
  EXPECT(status({1, 0}) == 1);
  large.dynamic_bytes = 48 * 1024 + 1;
  EXPECT(status(large) == 1);
  void* kernel = function("emulator_test_uninitialised_shared");
  EXPECT(cuFuncSetAttribute(kernel, 8, 232448 + 1) == 1);
  CHECK(cuFuncSetAttribute(kernel, 8, 100 * 1024));
  EXPECT(status(large) == 0);
  CHECK(cuFuncSetAttribute(kernel, 8, 48 * 1024));
  void* missing = nullptr;
  EXPECT(cuModuleGetFunction(&missing, nullptr, "emulator_test_nothing") == 500);
}

PLANTED_FAULT(write_past_the_end) {
  DeviceArray<> out(100);
  launch("emulator_test_write_past_end", {1, 128}, out.address(), 100);
}

PLANTED_FAULT(shared_read_past_the_end) {
  DeviceArray<> out(100);
  Shape shape{1, 100};
  shape.dynamic_bytes = 100 * sizeof(float);
  launch("emulator_test_shared_read_past_end", shape, out.address());
}

PLANTED_FAULT(misaligned_vector_access) {
  DeviceArray<> out(100);
  launch("emulator_test_misaligned_vector", {1, 1}, out.address());
}
