#include "matrix_product.h"

#include "device_memory.h"
#include "emulated_tensor_core.h"

#include <vector>

namespace emulator {
namespace {

size_t element_bytes(ElementKind kind) { return kind == ElementKind::Float32 ? 4 : 2; }

float load(const MatrixOperand& matrix, long long index) {
  if (matrix.kind == ElementKind::Float32) return reinterpret_cast<const float*>(matrix.address)[index];
  return bf16_value(reinterpret_cast<const uint16_t*>(matrix.address)[index], 0);
}

void store(const MatrixOperand& matrix, long long index, float value) {
  if (matrix.kind == ElementKind::Float32) {
    reinterpret_cast<float*>(matrix.address)[index] = value;
  } else {
    reinterpret_cast<uint16_t*>(matrix.address)[index] = static_cast<uint16_t>(bf16_bits(value));
  }
}

float rounded_input(float value, InputRounding rounding) {
  switch (rounding) {
    case InputRounding::Tf32: return __uint_as_float(round_to_tf32(value));
    case InputRounding::BFloat16: return bf16_value(bf16_bits(value), 0);
    default: return value;
  }
}

// op(matrix) as f32, row after row.
std::vector<float> gather(const MatrixOperand& matrix, long long first, int rows, int columns, InputRounding rounding) {
  std::vector<float> values(static_cast<size_t>(rows) * columns);
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < columns; j++) {
      const long long row = matrix.transposed ? j : i, column = matrix.transposed ? i : j;
      values[static_cast<size_t>(i) * columns + j] = rounded_input(load(matrix, first + column * matrix.leading + row), rounding);
    }
  }
  return values;
}

bool is_inside(const MatrixOperand& matrix, int rows, int columns, int batch) {
  if (matrix.transposed) {
    const int swap = rows;
    rows = columns;
    columns = swap;
  }
  if (rows == 0 || columns == 0 || batch == 0) return true;
  const long long last = matrix.stride * (batch - 1) + static_cast<long long>(matrix.leading) * (columns - 1) + rows;
  return matrix.leading >= rows && is_device_range(matrix.address, static_cast<size_t>(last) * element_bytes(matrix.kind));
}

}  // namespace

const char* check_product(const MatrixProduct& product) {
  if (product.rows < 0 || product.columns < 0 || product.depth < 0 || product.batch < 0) return "a negative size";
  if (!is_inside(product.a, product.rows, product.depth, product.batch)) return "A is not inside one allocation, or its columns overlap";
  if (!is_inside(product.b, product.depth, product.columns, product.batch)) return "B is not inside one allocation, or its columns overlap";
  if (!is_inside(product.c, product.rows, product.columns, product.batch)) return "C is not inside one allocation, or its columns overlap";
  return nullptr;
}

void run_product(const MatrixProduct& product) {
  for (int item = 0; item < product.batch; item++) {
    const auto a = gather(product.a, item * product.a.stride, product.rows, product.depth, product.rounding);
    const auto b = gather(product.b, item * product.b.stride, product.depth, product.columns, product.rounding);
    std::vector<float> sums(static_cast<size_t>(product.columns));
    for (int i = 0; i < product.rows; i++) {
      sums.assign(sums.size(), 0.0f);
      for (int k = 0; k < product.depth; k++) {
        const float factor = a[static_cast<size_t>(i) * product.depth + k];
        const float* row = b.data() + static_cast<size_t>(k) * product.columns;
        for (int j = 0; j < product.columns; j++) sums[j] += factor * row[j];
      }
      for (int j = 0; j < product.columns; j++) {
        const long long index = item * product.c.stride + static_cast<long long>(j) * product.c.leading + i;
        // With beta 0, C need not hold numbers.
        const float before = product.beta == 0.0f ? 0.0f : product.beta * load(product.c, index);
        store(product.c, index, product.alpha * sums[j] + before);
      }
    }
  }
}

}  // namespace emulator
