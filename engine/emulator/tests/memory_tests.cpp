// Device memory: limits, contents, protection.
#include "testing.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace testing;

TEST(new_memory_is_nan) {
  DeviceArray<> array(10);
  for (float value : array.read()) EXPECT(value != value);
}

TEST(copies_and_fills) {
  const auto x = normal_values(100);
  DeviceArray<> a(x), b(100);
  CHECK(cuMemcpyDtoDAsync_v2(b.address(), a.address(), 400, nullptr));
  EXPECT(b.read() == x);
  CHECK(cuMemsetD8Async(b.address(), 0, 200, nullptr));
  CHECK(cuMemsetD32Async(b.address() + 200, 0x3f800000, 50, nullptr));
  const auto filled = b.read();
  for (int i = 0; i < 100; i++) EXPECT(filled[i] == (i < 50 ? 0.0f : 1.0f));
}

TEST(copies_outside_an_allocation_are_refused) {
  DeviceArray<> array(10);
  std::vector<float> host(11);
  EXPECT(cuMemcpyDtoHAsync_v2(host.data(), array.address(), 44, nullptr) == 1);
  EXPECT(cuMemcpyHtoDAsync_v2(array.address() + 8, host.data(), 40, nullptr) == 1);
  EXPECT(cuMemsetD8Async(array.address(), 0, 41, nullptr) == 1);
}

TEST(memory_has_a_limit) {
  Switch limit("memory_mib", 8, 4096);
  size_t free_before, total, free_after;
  CHECK(cuMemGetInfo_v2(&free_before, &total));
  EXPECT(total == 8u << 20);
  uint64_t first = 0, second = 0;
  CHECK(cuMemAlloc_v2(&first, 5 << 20));
  CHECK(cuMemGetInfo_v2(&free_after, &total));
  EXPECT(free_before - free_after == 5u << 20);
  EXPECT(cuMemAlloc_v2(&second, 5 << 20) == 2);
  CHECK(cuMemFree_v2(first));
  EXPECT(cuMemFree_v2(first) == 1);
}

// Strict memory: kernels and copies reach it, host code does not.
TEST(strict_memory_is_unreadable_from_host_code) {
  Switch strict("strict_memory", 1, 0);
  const auto x = normal_values(100);
  DeviceArray<> in(x), out(100);
  launch("emulator_test_vector_add", {1, 128}, in.address(), in.address(), out.address(), 100);
  EXPECT(out.read()[7] == 2 * x[7]);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, [](int) { _exit(42); });
    _exit(*reinterpret_cast<volatile float*>(in.address()) == 0.0f);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
