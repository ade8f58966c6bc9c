// C = alpha op(A) op(B) + beta C on column-major matrices, as cuBLAS defines it, by plain loops with f32 sums.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace emulator {

enum class ElementKind { Float32, BFloat16 };

// What f32 inputs are rounded to before they are multiplied.
enum class InputRounding { None, Tf32, BFloat16 };

struct MatrixOperand {
  uint64_t address;
  ElementKind kind;
  int leading;       // Distance of columns, in elements.
  long long stride;  // Distance of the matrices of a batch, in elements.
  bool transposed;
};

struct MatrixProduct {
  int rows, columns, depth, batch;
  float alpha, beta;
  MatrixOperand a, b, c;
  InputRounding rounding;
};

// What is wrong with it, or null.
const char* check_product(const MatrixProduct& product);

void run_product(const MatrixProduct& product);

}  // namespace emulator
