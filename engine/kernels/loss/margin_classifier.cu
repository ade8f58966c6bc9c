// What a classifier needs besides the kernels of similarity_softmax.cu, in which a class is a candidate and the label names the positive:
// a label that is no class must not pass unnoticed. Its row gets the cosine NaN, and so does the loss.
#include "common/prelude.cuh"

// One thread a row; runs after the cosines are there.
KERNEL_BOUNDS(128)
margin_classifier_check(const int* __restrict__ labels, int rows, int classes, float* __restrict__ positive_cosines) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < rows && (labels[row] < 0 || labels[row] >= classes)) positive_cosines[row] = __int_as_float(0x7fc00000);
}
EXPORT_KERNEL(margin_classifier_check)
