// What a classifier needs besides the kernels of similarity_softmax.cu, in which a class is a candidate and the label names the positive:
// a check of the labels, the qualities of AdaFace's rows, the second weights of mixed rows, and a softmax over cosines in memory, for classes
// of several centres and margins on the hardest of them.
#include "common/cosine_softmax.cuh"
#include "common/hardest.cuh"

using hardest::Candidate;
using hardest::THREADS;
using hardest::WARPS;

namespace {

constexpr int MOST_HARD = 64;

// The host's HardNegativeRule: cos(θ − m) for c = cos θ, and c + 1 − cos m where θ is below m.
struct HardNegativeRule {
  double cosine, sine;

  __device__ __forceinline__ double apply(double c, double* slope) const {
    *slope = 1.0;
    if (c >= cosine) return c + 1.0 - cosine;
    double squared = 1.0 - c * c;
    *slope = cosine - sine * c / sqrt(squared < 1e-7 ? 1e-7 : squared);
    return c * cosine + sqrt(squared < 0.0 ? 0.0 : squared) * sine;
  }
};

}  // namespace

// Cosines [block, classes · each] of some rows with the centres of the classes, which become derivatives of the mean loss in place. Of a class
// only the nearest centre counts, the first of equals. labels, weights (null for 1) and qualities (null where the margin does not adapt) are those
// of all rows, start the number of the first of these. results [4, all_rows] in f64 and hits [all_rows] are those of similarity_softmax_solve; the
// loss is NaN where a label is no class. Grid: a block a row, block 256. Traffic: hard_negatives + 4 reads of the row, most from a cache, and a write.
// Three blocks of a multiprocessor are enough: left to choose, the compiler aims at more and spills.
KERNEL_BLOCKS(THREADS, 3)
margin_classifier_rows(float* __restrict__ cosines, int classes, int each, const int* __restrict__ labels, const float* __restrict__ weights,
                       const float* __restrict__ qualities, int start, int all_rows, const MarginRule margin, int hard_negatives,
                       const HardNegativeRule rule, float scale, double* __restrict__ results, int* __restrict__ hits) {
  constexpr double LOG_OF_TWO = 0.6931471805599453;
  __shared__ Candidate candidates[WARPS];
  __shared__ double sums[WARPS];
  __shared__ double target[2];  // The own class: its logit, and how that changes with the cosine.
  __shared__ int hard_places[MOST_HARD];
  __shared__ float slopes[MOST_HARD];
  __shared__ float factors[2];  // Derivatives: of the own class, and by a power.
  __shared__ float shift;
  __shared__ int own_place;
  float* c = cosines + int64_t(blockIdx.x) * classes * each;
  int row = start + blockIdx.x, own = labels[row];
  bool known = own >= 0 && own < classes;
  if (!known) own = 0;

  double sum = 0.0;
  Candidate highest = {-hardest::infinity(), hardest::NO_CLASS};
  for (int k = threadIdx.x; k < classes; k += THREADS) {
    int nearest = k * each;
    for (int i = nearest + 1; i < (k + 1) * each; i++) {
      if (!(c[i] <= c[nearest]) && !isnan(c[nearest])) nearest = i;
    }
    for (int i = k * each; i < (k + 1) * each; i++) {
      if (i != nearest) c[i] = cosine_softmax::NOTHING;
    }
    if (k == own) {
      own_place = nearest;
      continue;
    }
    sum += c[nearest];
    Candidate candidate = {hardest::key_of(c[nearest]), nearest};
    if (hardest::comes_first(candidate, highest)) highest = candidate;
  }
  sum = block_sum(sum, sums);
  highest = hardest::block_first(highest, candidates);
  int place = own_place;
  if (threadIdx.x == 0) {
    results[all_rows + row] = c[place];
    results[2 * all_rows + row] = sum;
    results[3 * all_rows + row] = classes - 1;
    hits[row] = c[place] >= highest.key ? 1 : 0;
  }

  // The hardest are known one after the other; thread i moves the i-th once all have been found.
  int wanted = min(hard_negatives, classes - 1);
  Candidate last = highest;
  if (threadIdx.x == 0) hard_places[0] = highest.index;
  for (int round = 1; round < wanted; round++) {
    Candidate next = {-hardest::infinity(), hardest::NO_CLASS};
    for (int k = threadIdx.x; k < classes; k += THREADS) {
      for (int i = k * each; i < (k + 1) * each; i++) {
        Candidate candidate = {hardest::key_of(c[i]), i};
        if (i != place && hardest::comes_first(last, candidate) && hardest::comes_first(candidate, next)) next = candidate;
      }
    }
    last = hardest::block_first(next, candidates);
    if (threadIdx.x == 0) hard_places[round] = last.index;
  }
  __syncthreads();
  if (threadIdx.x < wanted) {
    double slope;
    float* hard = c + hard_places[threadIdx.x];
    *hard = float(rule.apply(*hard, &slope));
    slopes[threadIdx.x] = float(slope);
  }
  if (threadIdx.x == 0) {
    target[0] = margin.apply(c[place], qualities == nullptr ? 0.0 : qualities[row], &target[1]) * scale;
    shift = float(ceil(fmax(target[0], double(scale) * (wanted > 0 ? c[hard_places[0]] : highest.key))));
  }
  __syncthreads();

  double negatives = 0.0;
  for (int k = threadIdx.x; k < classes; k += THREADS) {
    for (int i = k * each; i < (k + 1) * each; i++) {
      if (i != place && c[i] != cosine_softmax::NOTHING) negatives += cosine_softmax::power(c[i], scale, shift);
    }
  }
  negatives = block_sum(negatives, sums);
  if (threadIdx.x == 0) {
    double x = log(negatives) + LOG_OF_TWO * (shift - target[0]), tail = exp(-fabs(x));
    double weight = weights == nullptr ? 1.0 : weights[row];
    results[row] = !known ? double(__int_as_float(0x7fc00000)) : isnan(x) ? x : weight * (fmax(x, 0.0) + log1p(tail));
    double gradient_scale = weight * scale * LOG_OF_TWO / all_rows;
    factors[0] = float(-target[1] * ((x >= 0.0 ? 1.0 : tail) / (1.0 + tail)) * gradient_scale);
    factors[1] = float(gradient_scale / (negatives + exp(LOG_OF_TWO * (target[0] - shift))));
  }
  __syncthreads();

  for (int k = threadIdx.x; k < classes; k += THREADS) {
    for (int i = k * each; i < (k + 1) * each; i++) {
      float cosine = c[i];
      c[i] = i == place ? factors[0] : cosine == cosine_softmax::NOTHING ? 0.0f : factors[1] * cosine_softmax::power(cosine, scale, shift);
    }
  }
  __syncthreads();
  if (threadIdx.x < wanted) c[hard_places[threadIdx.x]] *= slopes[threadIdx.x];
}
EXPORT_KERNEL(margin_classifier_rows)

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
