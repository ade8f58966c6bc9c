// A small test harness: TEST registers, EXPECT throws, device arrays and launches are one line each.
#pragma once

#include "driver.h"

#include <math.h>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace testing {

constexpr float TOLERANCE = 2e-6f;

struct Test {
  const char* name;
  void (*run)();
  bool planted;  // Has to be stopped by a sanitizer; runs only when asked for by name.
};

std::vector<Test>& tests();

struct Registration {
  Registration(const char* name, void (*run)(), bool planted) { tests().push_back({name, run, planted}); }
};

[[noreturn]] void fail(const char* file, int line, const std::string& what);

// The text of the last failure with that status.
std::string failure_text(int status);
void check(int status, const char* file, int line);

// Sets a switch for the life of the object.
class Switch {
 public:
  Switch(const char* name, int value, int afterwards) : name_(name), afterwards_(afterwards) { spkEmulatorConfigure(name, value); }
  ~Switch() { spkEmulatorConfigure(name_, afterwards_); }

 private:
  const char* name_;
  int afterwards_;
};

template <typename T = float>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) { check(cuMemAlloc_v2(&address_, count * sizeof(T)), __FILE__, __LINE__); }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) { write(values); }
  ~DeviceArray() { cuMemFree_v2(address_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  uint64_t address() const { return address_; }

  void write(const std::vector<T>& values, void* stream = nullptr) {
    check(cuMemcpyHtoDAsync_v2(address_, values.data(), values.size() * sizeof(T), stream), __FILE__, __LINE__);
  }

  std::vector<T> read(void* stream = nullptr) const {
    std::vector<T> values(count_);
    check(cuMemcpyDtoHAsync_v2(values.data(), address_, count_ * sizeof(T), stream), __FILE__, __LINE__);
    check(cuStreamSynchronize(stream), __FILE__, __LINE__);
    return values;
  }

 private:
  size_t count_;
  uint64_t address_ = 0;
};

struct Shape {
  unsigned grid_x, block_x;
  unsigned grid_y = 1, grid_z = 1, block_y = 1, block_z = 1;
  unsigned dynamic_bytes = 0;
  void* stream = nullptr;
};

void* function(const char* name);
int launch_with(const char* name, const Shape& shape, void** arguments, const std::vector<size_t>& sizes);

// Launches and returns the status. Arguments must have the sizes of the kernel's parameters.
template <typename... Arguments>
int try_launch(const char* name, const Shape& shape, Arguments... arguments) {
  void* pointers[] = {&arguments..., nullptr};
  return launch_with(name, shape, pointers, {sizeof(Arguments)...});
}

template <typename... Arguments>
void launch(const char* name, const Shape& shape, Arguments... arguments) {
  check(try_launch(name, shape, arguments...), name, 0);
}

std::vector<float> normal_values(size_t count, unsigned seed = 1);

// Largest absolute difference; infinite where a value is not a number.
double difference(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace testing

#define TEST(name)                                                        \
  static void name();                                                     \
  static const testing::Registration name##_registration(#name, &name, false); \
  static void name()

#define PLANTED_FAULT(name)                                               \
  static void name();                                                     \
  static const testing::Registration name##_registration(#name, &name, true);  \
  static void name()

#define EXPECT(condition) \
  if (!(condition)) testing::fail(__FILE__, __LINE__, #condition)

#define CHECK(call) testing::check(call, __FILE__, __LINE__)
