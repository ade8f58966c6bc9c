// First centroids of k-means. k-means++ is decided here, too: the host queues a step and waits for none.
//
//   prepare  weights, and that every row is at distance 1 from "nothing"
//   draw     which draw of the step before lowered the sum of distances most, and the draws of this step
//   take     the distances after that draw become those of the rows
//   try      the distances after each draw
//
// Each for all problems of a batch at work at once (common/problems.cuh); what follows is said of one. Rows are the positions of a list, or (always with
// several problems) all. A block of 256 threads takes a chunk of 512 positions counted from the own first one, a warp one row at a time: sums of a chunk
// are added in a fixed order, in f64.
// Traffic: a try reads the rows once for each draw (from the second-level cache after the first), take moves 8 bytes a row, draw reads 8 bytes a chunk for
// each draw.
#include "common/philox.cuh"
#include "common/problems.cuh"
#include "common/reduce.cuh"

namespace {

constexpr int THREADS = 256, WARPS = THREADS / WARP, CHUNK = 512;
constexpr float SAME_DIRECTION = 1e-6f;  // Below this 1 − cosine two rows have the same direction as far as f32 can tell.
constexpr double MOST = 1.7976931348623157e308;

// The sum over the block of one number of each warp (of all its lanes alike), in the order of the warps; for thread 0.
__device__ __forceinline__ double sum_of_warps(double value) {
  __shared__ double values[WARPS];
  if (threadIdx.x % WARP == 0) values[threadIdx.x / WARP] = value;
  __syncthreads();
  double sum = 0.0;
  for (int w = 0; w < WARPS; w++) sum += values[w];
  return sum;
}

// The sum of values by a warp; all lanes get it.
__device__ __forceinline__ double sum_of(const double* values, int count) {
  double sum = 0.0;
  for (int i = threadIdx.x % WARP; i < count; i += WARP) sum += values[i];
  return warp_sum(sum);
}

struct Sums {
  const double* values;

  __device__ __forceinline__ double operator()(int chunk) const { return values[chunk]; }
};

struct Chances {
  const float *weights, *nearest;

  __device__ __forceinline__ double operator()(int position) const { return double(weights[position]) * double(nearest[position]); }
};

// By a warp: the first place from … to − 1 up to which values add up to more than `left`, of which then those before it are gone; where rounding leads past
// all, the last that is above 0, with so much left that the last of its own places is meant; −1 where none is.
template <typename Values>
__device__ __forceinline__ int find(const Values& values, int from, int to, double& left) {
  int lane = threadIdx.x % WARP, last = -1;
  for (int base = from; base < to; base += WARP) {
    double value = base + lane < to ? values(base + lane) : 0.0, sum = value;
    for (int offset = 1; offset < WARP; offset *= 2) {
      double below = __shfl_up_sync(FULL_WARP, sum, offset);
      sum += lane >= offset ? below : 0.0;
    }
    unsigned some = __ballot_sync(FULL_WARP, value > 0.0), beyond = __ballot_sync(FULL_WARP, value > 0.0 && left < sum);
    if (beyond != 0) {
      int first = __ffs(int(beyond)) - 1;
      left -= __shfl_sync(FULL_WARP, sum - value, first);
      return base + first;
    }
    if (some != 0) last = base + WARP - 1 - __clz(int(some));
    left -= __shfl_sync(FULL_WARP, sum, WARP - 1);
  }
  left = MOST;
  return last;
}

// The draw with the lowest sum of its chunks, the first of equals. By a block, which is in step afterwards.
__device__ __forceinline__ int best_of(const double* potentials, int draws, int own_chunks, int chunks) {
  __shared__ double lowest[WARPS];
  __shared__ int places[WARPS];
  int warp = threadIdx.x / WARP, place = 0;
  double least = MOST;
  for (int c = warp; c < draws; c += WARPS) {
    double sum = sum_of(potentials + int64_t(c) * chunks, own_chunks);
    if (sum < least) {
      least = sum;
      place = c;
    }
  }
  if (threadIdx.x % WARP == 0) {
    lowest[warp] = least;
    places[warp] = place;
  }
  __syncthreads();
  int best = 0;
  least = MOST;
  for (int w = 0; w < WARPS; w++) {
    if (lowest[w] < least || (lowest[w] == least && places[w] < best)) {
      least = lowest[w];
      best = places[w];
    }
  }
  return best;
}

}  // namespace

// weights: those given, else the scales (1 without), under cosine times the row's length; inverse: 1 / length under cosine; nearest: 1, so that the
// first choice goes by weight. sums [problems, chunks]: Σ weight. Grid (chunks, 1, problems), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_prepare(const Problems problems, const float* __restrict__ rows, int stride, const int* __restrict__ list, int dimension,
                     const float* __restrict__ scales, const double* __restrict__ given, int cosine, float* __restrict__ weights,
                     float* __restrict__ inverse, float* __restrict__ nearest, double* __restrict__ sums) {
  Problem own = problems.own();
  if (int64_t(blockIdx.x) * CHUNK >= own.rows) return;
  rows += int64_t(own.first) * stride;
  double sum = 0.0;
  int end = min(own.rows, int(blockIdx.x + 1) * CHUNK), lane = threadIdx.x % WARP;
  for (int i = blockIdx.x * CHUNK + threadIdx.x / WARP; i < end; i += WARPS) {
    int row = list == nullptr ? i : list[i], place = own.first + i;
    double length = 1.0;
    if (cosine != 0) {
      const float* x = rows + int64_t(row) * stride;
      double squares = 0.0;
      for (int d = lane; d < dimension; d += WARP) squares += double(x[d]) * double(x[d]);
      length = sqrt(warp_sum(squares));
    }
    double weight = given != nullptr ? given[i] : scales == nullptr ? 1.0 : scales[place] * length;
    sum += double(float(weight));
    if (lane == 0) {
      weights[place] = float(weight);
      inverse[place] = float(1.0 / length);
      nearest[place] = 1.0f;
    }
  }
  sum = sum_of_warps(sum);
  if (threadIdx.x == 0) sums[int64_t(own.index) * gridDim.x + blockIdx.x] = sum;
}
EXPORT_KERNEL(k_means_init_prepare)

// Of step `step`, with the outcome of the step before: chosen [problems, clusters] gets the best of its draws, whose number becomes `taken` [problems]; after
// the last step that is all. drawn [problems, draws]: positions with probability proportional to weight · distance, one in the first step, by words 2 n
// and 2 n + 1 of the random numbers for draw n of all. Where every row coincides with a chosen one, there are none: −1 from then on. sums [problems,
// chunks]: as prepare left them. `all`: rows of all problems. Grid (1, 1, problems), block 256.
KERNEL_BLOCKS(THREADS, 4)
k_means_init_draw(const Problems problems, int step, int clusters, int draws, const uint64_t* __restrict__ seeds, int start, int epoch, int stream, int chunks,
                  int all, const double* __restrict__ sums, const float* __restrict__ weights, const float* __restrict__ nearest,
                  const float* __restrict__ trial, const double* __restrict__ potentials, int* __restrict__ drawn, int* __restrict__ taken,
                  int* __restrict__ chosen) {
  Problem own = problems.own();
  int own_chunks = divide_up(own.rows, CHUNK), lane = threadIdx.x % WARP, now = step == 0 ? 1 : draws;
  sums += int64_t(own.index) * chunks;
  potentials += int64_t(own.index) * draws * chunks;
  drawn += int64_t(own.index) * draws;
  chosen += int64_t(own.index) * clusters;
  Chances chances = {weights + own.first, nearest + own.first};
  if (step > 0) {
    int best = best_of(potentials, step == 1 ? 1 : draws, own_chunks, chunks), choice = drawn[best];
    bool none = drawn[0] < 0;
    __syncthreads();  // All have read the draws of the step before.
    if (threadIdx.x == 0) {
      chosen[step - 1] = none ? -1 : choice;
      taken[own.index] = none ? 0 : best;
    }
    if (none || step == clusters) return;
    sums = potentials + int64_t(best) * chunks;
    chances.nearest = trial + int64_t(best) * all + own.first;
  }
  double total = sum_of(sums, own_chunks);
  for (int c = threadIdx.x / WARP; c < now; c += WARPS) {
    int position = -1;
    if (total > 0.0) {
      uint32_t number = step == 0 ? 0 : 1u + uint32_t(step - 1) * uint32_t(draws) + uint32_t(c);
      uint32_t words[4] = {number / 2, uint32_t(start), uint32_t(epoch), uint32_t(stream)};
      philox(seeds[own.index], words);
      constexpr double WORDS = 4294967296.0;
      bool even = number % 2 == 0;
      double left = __dmul_rn((double(even ? words[0] : words[2]) + double(even ? words[1] : words[3]) / WORDS) / WORDS, total);
      int chunk = find(Sums{sums}, 0, own_chunks, left);
      position = find(chances, chunk * CHUNK, min(own.rows, (chunk + 1) * CHUNK), left);
    }
    if (lane == 0) drawn[c] = position;
  }
}
EXPORT_KERNEL(k_means_init_draw)

// trial [draws, rows of all]: distance to the nearest chosen row if that position were chosen too; potentials [problems, draws, chunks]: Σ weight · trial.
// Euclidean distances are sums of squared differences, so that a copy of a row is at 0 exactly. Grid (chunks, draws of this step, problems), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_try(const Problems problems, const float* __restrict__ rows, int stride, const int* __restrict__ list, int dimension, int cosine, int step,
                 int draws, int all, const int* __restrict__ drawn, const float* __restrict__ weights, const float* __restrict__ inverse,
                 const float* __restrict__ nearest, float* __restrict__ trial, double* __restrict__ potentials) {
  Problem own = problems.own();
  int candidate = drawn[int64_t(own.index) * draws + blockIdx.y], lane = threadIdx.x % WARP;
  if (candidate < 0 || int64_t(blockIdx.x) * CHUNK >= own.rows) return;
  rows += int64_t(own.first) * stride;
  weights += own.first;
  inverse += own.first;
  nearest += own.first;
  trial += int64_t(blockIdx.y) * all + own.first;
  const float* c = rows + int64_t(list == nullptr ? candidate : list[candidate]) * stride;
  double sum = 0.0;
  int end = min(own.rows, int(blockIdx.x + 1) * CHUNK);
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
    distance = step == 0 ? distance : fminf(nearest[i], distance);
    distance = weights[i] > 0.0f ? distance : 0.0f;  // A row of zeros has no direction.
    sum += double(weights[i]) * double(distance);
    if (lane == 0) trial[i] = distance;
  }
  sum = sum_of_warps(sum);
  if (threadIdx.x == 0) potentials[(int64_t(own.index) * draws + blockIdx.y) * gridDim.x + blockIdx.x] = sum;
}
EXPORT_KERNEL(k_means_init_try)

// nearest becomes the trial that was taken. Grid (chunks, 1, problems), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_take(const Problems problems, int all, const int* __restrict__ taken, const float* __restrict__ trial, float* __restrict__ nearest) {
  Problem own = problems.own();
  trial += int64_t(taken[own.index]) * all + own.first;
  nearest += own.first;
  int end = min(own.rows, int(blockIdx.x + 1) * CHUNK);
  for (int i = blockIdx.x * CHUNK + threadIdx.x; i < end; i += THREADS) nearest[i] = trial[i];
}
EXPORT_KERNEL(k_means_init_take)

// centroid k = row chosen[k], under cosine over its length (a row of zeros stays one). Grid (K, 1, problems), block 256.
KERNEL_BOUNDS(THREADS)
k_means_init_write(const Problems problems, const float* __restrict__ rows, int stride, const int* __restrict__ chosen, int dimension, int cosine,
                   float* __restrict__ centroids, int centroid_stride) {
  __shared__ double scratch[WARPS];
  Problem own = problems.own();
  int64_t place = int64_t(own.index) * gridDim.x + blockIdx.x;
  const float* x = rows + (int64_t(own.first) + chosen[place]) * stride;
  float* to = centroids + place * centroid_stride;
  double squares = 0.0;
  for (int d = threadIdx.x; d < dimension; d += THREADS) squares += double(x[d]) * double(x[d]);
  double length = sqrt(block_sum(squares, scratch));
  double scale = cosine != 0 && length > 0.0 ? 1.0 / length : 1.0;
  for (int d = threadIdx.x; d < dimension; d += THREADS) to[d] = float(x[d] * scale);
}
EXPORT_KERNEL(k_means_init_write)
