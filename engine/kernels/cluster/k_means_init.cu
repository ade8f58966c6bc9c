// First centroids of k-means: the passes over all rows that k-means++ needs. What is drawn is decided on the host.
//
// Rows are the positions of a list, or all. A block of 256 threads takes a chunk of 512 positions, a warp one row at a time: sums of a chunk are
// added in a fixed order, in f64.
// Traffic: a try reads the rows once for each candidate (from the second-level cache after the first), take reads 8 bytes a row.
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP, CHUNK = 512;
constexpr float SAME_DIRECTION = 1e-6f;  // Below this 1 − cosine two rows have the same direction as far as f32 can tell.

// The sum over the block of one number of each warp (of all its lanes alike), in the order of the warps; for thread 0.
__device__ __forceinline__ double sum_of_warps(double value) {
  __shared__ double values[WARPS];
  if (threadIdx.x % WARP == 0) values[threadIdx.x / WARP] = value;
  __syncthreads();
  double sum = 0.0;
  for (int w = 0; w < WARPS; w++) sum += values[w];
  return sum;
}

}  // namespace

// weights: those given, else the scales (1 without), under cosine times the row's length; inverse: 1 / length under cosine; nearest: 1, so that the
// first choice goes by weight. sums [chunks]: Σ weight. Grid (chunks), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_prepare(const float* __restrict__ rows, int stride, const int* __restrict__ list, int count, int dimension, const float* __restrict__ scales,
                     const double* __restrict__ given, int cosine, float* __restrict__ weights, float* __restrict__ inverse, float* __restrict__ nearest,
                     double* __restrict__ sums) {
  double sum = 0.0;
  int end = min(count, int(blockIdx.x + 1) * CHUNK), lane = threadIdx.x % WARP;
  for (int i = blockIdx.x * CHUNK + threadIdx.x / WARP; i < end; i += WARPS) {
    int row = list == nullptr ? i : list[i];
    double length = 1.0;
    if (cosine != 0) {
      const float* x = rows + int64_t(row) * stride;
      double squares = 0.0;
      for (int d = lane; d < dimension; d += WARP) squares += double(x[d]) * double(x[d]);
      length = sqrt(warp_sum(squares));
    }
    double weight = given != nullptr ? given[i] : scales == nullptr ? 1.0 : scales[row] * length;
    sum += double(float(weight));
    if (lane == 0) {
      weights[i] = float(weight);
      inverse[i] = float(1.0 / length);
      nearest[i] = 1.0f;
    }
  }
  sum = sum_of_warps(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
EXPORT_KERNEL(k_means_init_prepare)

// trial [draws, count]: distance to the nearest chosen row if that position were chosen too; potentials [draws, chunks]: Σ weight · trial.
// Euclidean distances are sums of squared differences, so that a copy of a row is at 0 exactly. Grid (chunks, draws), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_try(const float* __restrict__ rows, int stride, const int* __restrict__ list, int count, int dimension, int cosine,
                 const int* __restrict__ drawn, int is_first, const float* __restrict__ weights, const float* __restrict__ inverse,
                 const float* __restrict__ nearest, float* __restrict__ trial, double* __restrict__ potentials) {
  int candidate = drawn[blockIdx.y], lane = threadIdx.x % WARP;
  const float* c = rows + int64_t(list == nullptr ? candidate : list[candidate]) * stride;
  double sum = 0.0;
  int end = min(count, int(blockIdx.x + 1) * CHUNK);
  for (int i = blockIdx.x * CHUNK + threadIdx.x / WARP; i < end; i += WARPS) {
    const float* x = rows + int64_t(list == nullptr ? i : list[i]) * stride;
    float partial = 0.0f;
    for (int d = lane; d < dimension; d += WARP) {
      float difference = x[d] - c[d];
      partial = fmaf(cosine != 0 ? x[d] : difference, cosine != 0 ? c[d] : difference, partial);
    }
    float distance = warp_sum(partial);
    if (cosine != 0) {
      distance = 1.0f - distance * inverse[i] * inverse[candidate];
      distance = distance < SAME_DIRECTION ? 0.0f : distance;
    }
    distance = is_first != 0 ? distance : fminf(nearest[i], distance);
    distance = weights[i] > 0.0f ? distance : 0.0f;  // A row of zeros has no direction.
    sum += double(weights[i]) * double(distance);
    if (lane == 0) trial[int64_t(blockIdx.y) * count + i] = distance;
  }
  sum = sum_of_warps(sum);
  if (threadIdx.x == 0) potentials[int64_t(blockIdx.y) * gridDim.x + blockIdx.x] = sum;
}
EXPORT_KERNEL(k_means_init_try)

// nearest becomes the trial that was taken; sums [chunks]: Σ weight · nearest. Grid (chunks), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_take(const float* __restrict__ trial, int count, const float* __restrict__ weights, float* __restrict__ nearest, double* __restrict__ sums) {
  __shared__ double scratch[WARPS];
  double sum = 0.0;
  int end = min(count, int(blockIdx.x + 1) * CHUNK);
  for (int i = blockIdx.x * CHUNK + threadIdx.x; i < end; i += THREADS) {
    nearest[i] = trial[i];
    sum += double(weights[i]) * double(trial[i]);
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
EXPORT_KERNEL(k_means_init_take)

// centroid k = row chosen[k], under cosine over its length (a row of zeros stays one). Grid (K), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_write(const float* __restrict__ rows, int stride, const int* __restrict__ chosen, int dimension, int cosine, float* __restrict__ centroids,
                   int centroid_stride) {
  __shared__ double scratch[WARPS];
  const float* x = rows + int64_t(chosen[blockIdx.x]) * stride;
  float* to = centroids + int64_t(blockIdx.x) * centroid_stride;
  double squares = 0.0;
  for (int d = threadIdx.x; d < dimension; d += THREADS) squares += double(x[d]) * double(x[d]);
  double length = sqrt(block_sum(squares, scratch));
  double scale = cosine != 0 && length > 0.0 ? 1.0 / length : 1.0;
  for (int d = threadIdx.x; d < dimension; d += THREADS) to[d] = float(x[d] * scale);
}
EXPORT_KERNEL(k_means_init_write)
