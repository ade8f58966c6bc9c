// OC-Softmax over cosines c [rows, K], which become derivatives in place: with sp(u) = log(1 + e^u), y the own class of a row (−1: none) and
// H the hardest others,
//   hardest > 0   sp(α(m0 − c_y)) + mean over H of sp(α(c_k − m1))
//   hardest = 0   the mean over all K classes of the same terms
// and the mean over rows. The products around it are those of mat_mul.cu; losses and derivatives are made in f64.
//
// The hardest are found one after the other: a round over the row each, in which the highest cosine that comes after the last one wins, the
// lower class of two equals. Traffic: (hardest + 3) reads of the row, all but the first from a cache, and one write.
#include "common/hardest.cuh"

using namespace hardest;

// weights: factor of each of the rows, of rows that were mixed; null for 1. start: number of the first of these rows among all_rows. results
// [4, all_rows] in f64: loss, cosine of the own class (NaN without one), sum and number of the others' cosines; the loss is NaN where a label is
// no class. Grid: a block a row, block 256.
KERNEL_BOUNDS(THREADS)
one_class_softmax_rows(float* __restrict__ cosines, int classes, const int* __restrict__ labels, const float* __restrict__ weights, int start, int all_rows, int hardest,
                       float target_cosine, float other_cosine, float scale, double* __restrict__ results, int* __restrict__ hits) {
  __shared__ Candidate candidates[WARPS];
  __shared__ double sums[WARPS];
  float* c = cosines + int64_t(blockIdx.x) * classes;
  int row = start + blockIdx.x, own = labels[row];
  bool known = own >= -1 && own < classes;
  if (!known) own = -1;
  int others = own < 0 ? classes : classes - 1, wanted = hardest < others ? hardest : others;

  double sum = 0.0;
  Candidate highest = {-infinity(), NO_CLASS};
  for (int k = threadIdx.x; k < classes; k += THREADS) {
    if (k == own) continue;
    sum += c[k];
    Candidate candidate = {key_of(c[k]), k};
    if (comes_first(candidate, highest)) highest = candidate;
  }
  sum = block_sum(sum, sums);
  highest = block_first(highest, candidates);
  double nan = double(__int_as_float(0x7fc00000));
  if (threadIdx.x == 0) {
    float own_cosine = own < 0 ? 0.0f : c[own];
    results[all_rows + row] = own < 0 ? nan : double(own_cosine);
    results[2 * all_rows + row] = sum;
    results[3 * all_rows + row] = others;
    hits[row] = own >= 0 && own_cosine >= highest.key ? 1 : 0;
  }

  Candidate last = highest;
  for (int round = 1; round < wanted; round++) {
    Candidate next = {-infinity(), NO_CLASS};
    for (int k = threadIdx.x; k < classes; k += THREADS) {
      Candidate candidate = {key_of(c[k]), k};
      if (k != own && comes_first(last, candidate) && comes_first(candidate, next)) next = candidate;
    }
    last = block_first(next, candidates);
  }

  __syncthreads();  // Thread 0 has read the own cosine before it is overwritten.
  float factor = weights == nullptr ? 1.0f : weights[row];
  double loss = 0.0;
  for (int k = threadIdx.x; k < classes; k += THREADS) {
    float cosine = c[k];
    Candidate candidate = {key_of(cosine), k};
    double weight = hardest == 0 ? 1.0 / classes : k == own ? 1.0 : comes_first(last, candidate) ? 0.0 : 1.0 / wanted;
    double slope = k == own ? -scale : scale;
    double u = slope * (double(cosine) - (k == own ? target_cosine : other_cosine)), tail = exp(-fabs(u));
    c[k] = weight == 0.0 ? 0.0f : factor * float(weight * slope / all_rows * (u >= 0.0 ? 1.0 / (1.0 + tail) : tail / (1.0 + tail)));
    if (weight != 0.0) loss += weight * ((u <= 0.0 ? 0.0 : u) + log1p(tail));
  }
  loss = block_sum(loss, sums);
  if (threadIdx.x == 0) results[row] = known ? factor * loss : nan;
}
EXPORT_KERNEL(one_class_softmax_rows)
