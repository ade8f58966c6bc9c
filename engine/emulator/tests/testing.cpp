#include "testing.h"

#include <algorithm>
#include <limits>

namespace testing {

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

void fail(const char* file, int line, const std::string& what) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

std::string failure_text(int status) {
  const char* text = nullptr;
  cuGetErrorString(status, &text);
  return text;
}

void check(int status, const char* file, int line) {
  if (status == 0) return;
  const char* name = nullptr;
  cuGetErrorName(status, &name);
  fail(file, line, std::string(name) + ": " + failure_text(status));
}

void* function(const char* name) {
  void *module = nullptr, *found = nullptr;
  check(cuModuleLoadData(&module, ""), __FILE__, __LINE__);
  check(cuModuleGetFunction(&found, module, name), __FILE__, __LINE__);
  return found;
}

int launch_with(const char* name, const Shape& shape, void** arguments, const std::vector<size_t>& sizes) {
  void* kernel = function(name);
  size_t offset, bytes, count = 0;
  for (; cuFuncGetParamInfo(kernel, count, &offset, &bytes) == 0; count++) {
    if (count < sizes.size() && sizes[count] != bytes) fail(name, static_cast<int>(count), "an argument's size is not its parameter's");
  }
  if (count != sizes.size()) fail(name, static_cast<int>(count), "the number of arguments is not that of the parameters");
  return cuLaunchKernel(kernel, shape.grid_x, shape.grid_y, shape.grid_z, shape.block_x, shape.block_y, shape.block_z, shape.dynamic_bytes,
                        shape.stream, arguments, nullptr);
}

std::vector<float> normal_values(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0.0;
  for (size_t i = 0; i < a.size(); i++) {
    const double each = fabs(static_cast<double>(a[i]) - b[i]);
    if (!(each <= largest)) largest = each == each ? each : std::numeric_limits<double>::infinity();
  }
  return largest;
}

}  // namespace testing
