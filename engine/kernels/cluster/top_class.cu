// The class with the highest logit of every row, the lowest of equals, and its probability 1 / Σ exp(l − highest).
// A block a row; the log softmax gives the probability, a minimum over the columns that reach the highest logit the class. Reads a row three times.
#include "common/log_softmax.cuh"

using log_softmax::THREADS;

// Grid N, block 256.
KERNEL_BOUNDS(THREADS)
top_class_rows(const float* __restrict__ logits, int stride, int classes, int* __restrict__ labels, float* __restrict__ probabilities) {
  __shared__ log_softmax::Scratch scratch;
  __shared__ int lowest[THREADS / WARP];
  const float* l = logits + int64_t(blockIdx.x) * stride;
  LogSoftmax softmax = log_softmax::of(l, classes, scratch);
  int best = classes - 1;
  for (int i = threadIdx.x; i < classes; i += THREADS) {
    if (l[i] >= softmax.highest) best = min(best, i);
  }
  for (int offset = WARP / 2; offset > 0; offset /= 2) best = min(best, __shfl_xor_sync(FULL_WARP, best, offset));
  if (threadIdx.x % WARP == 0) lowest[threadIdx.x / WARP] = best;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < THREADS / WARP; warp++) best = min(best, lowest[warp]);
  labels[blockIdx.x] = best;
  probabilities[blockIdx.x] = expf(-softmax.log_sum);
}
EXPORT_KERNEL(top_class_rows)
