// What a classifier needs besides the kernels of similarity_softmax.cu, in which a class is a candidate and the label names the positive:
// a check of the labels, the qualities of AdaFace's rows, and the second weights of mixed rows.
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 256;

}  // namespace

// A label that is no class must not pass unnoticed: its row gets the cosine NaN, and so does the loss. One thread a row; runs after the
// cosines are there.
KERNEL_BOUNDS(128)
margin_classifier_check(const int* __restrict__ labels, int rows, int classes, float* __restrict__ positive_cosines) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < rows && (labels[row] < 0 || labels[row] >= classes)) positive_cosines[row] = __int_as_float(0x7fc00000);
}
EXPORT_KERNEL(margin_classifier_check)

// qualities [rows] = clip(h (n − mean) / (deviation + 0.001), −1, 1) of the rows' lengths n, kept within [0.001, 100]. state [3]: moving mean
// and deviation, and 0 before the first batch, which starts them. One block: a warp a row, then sums over the lengths in f64.
KERNEL_BOUNDS(THREADS)
margin_classifier_qualities(const float* __restrict__ x, int stride, int rows, int width, float concentration, float rate, float* state, int update,
                            float* qualities) {
  __shared__ double scratch[THREADS / WARP];
  for (int row = threadIdx.x / WARP; row < rows; row += THREADS / WARP) {
    float sum = 0.0f;
    for (int i = threadIdx.x % WARP; i < width; i += WARP) sum = fmaf(x[int64_t(row) * stride + i], x[int64_t(row) * stride + i], sum);
    float length = sqrtf(warp_sum(sum));
    length = length < 1e-3f ? 1e-3f : length > 100.0f ? 100.0f : length;  // A NaN stays.
    if (threadIdx.x % WARP == 0) qualities[row] = length;
  }
  __syncthreads();
  double sum = 0.0, squares = 0.0;
  for (int row = threadIdx.x; row < rows; row += THREADS) sum += qualities[row];
  double batch_mean = block_sum(sum, scratch) / rows;
  for (int row = threadIdx.x; row < rows; row += THREADS) squares += (qualities[row] - batch_mean) * (qualities[row] - batch_mean);
  squares = block_sum(squares, scratch);
  double share = state[2] == 0.0f ? 1.0 : rate;
  double batch_deviation = rows > 1 ? sqrt(squares / (rows - 1)) : state[1];  // A single row has no deviation.
  double mean = state[0] + share * (batch_mean - state[0]), deviation = state[1] + share * (batch_deviation - state[1]);
  for (int row = threadIdx.x; row < rows; row += THREADS) {
    double quality = (qualities[row] - mean) / (deviation + 1e-3) * concentration;
    qualities[row] = float(quality < -1.0 ? -1.0 : quality > 1.0 ? 1.0 : quality);
  }
  __syncthreads();  // All have read the state.
  if (threadIdx.x != 0 || update == 0) return;
  state[0] = float(mean);
  state[1] = float(deviation);
  state[2] = 1.0f;
}
EXPORT_KERNEL(margin_classifier_qualities)

// 1 − λ of every row. One thread a row.
KERNEL_BOUNDS(THREADS)
margin_classifier_complement(const float* __restrict__ weights, int count, float* __restrict__ result) {
  int i = blockIdx.x * THREADS + threadIdx.x;
  if (i < count) result[i] = 1.0f - weights[i];
}
EXPORT_KERNEL(margin_classifier_complement)
