// GE2E: utterances against centroids, the own one without the utterance. Row u · N + j is utterance u of dialogue j; N dialogues of M.
//
//   centroids  s_j = Σ_u x_uj and d_i = s_j − x_i, made unit; the cosine of row i with d_i. Sums instead of means: they point the same way.
//   softmax, contrast   per row of cosines (made by mat_mul.cu): loss, derivatives by scale and offset, and the cosines become derivatives
//   gradient   by the rows of a dialogue: dx_i = ds + Σ_{l≠i} dd_l through the norms of s and d, then through the norm of the row
// A block a dialogue, a warp a row; sums over the width in f32, over logits and rows in f64. x, û, d̂ are read M + 2 times at most.
#include "common/reduce.cuh"

// Field by field that of the host.
struct Ge2eVectors {
  float *unit, *norms;                // [rows, width], [rows]
  float *centroids, *centroid_norms;  // [dialogues, width], [dialogues]
  float *others, *other_norms;        // d̂, ‖d‖: [rows, width], [rows]
  float *own_cosines, *own_gradients;
  int dialogues, utterances, width;
};

namespace {

constexpr int THREADS = 256, ROWS = 4;
constexpr float NORM_FLOOR = 1e-12f, SCALE_FLOOR = 1e-6f;

__device__ __forceinline__ float floored(float norm) { return norm < NORM_FLOOR ? NORM_FLOOR : norm; }  // A comparison keeps a NaN.

// dd of row i at an element: own · (û − o d̂) / ‖d‖, and below the floor own · û / 1e-12.
__device__ __forceinline__ float other_gradient(const Ge2eVectors& v, int row, int i) {
  float norm = v.other_norms[row], along = norm < NORM_FLOOR ? 0.0f : v.own_cosines[row];
  int64_t at = int64_t(row) * v.width + i;
  return v.own_gradients[row] / floored(norm) * (v.unit[at] - along * v.others[at]);
}

__device__ __forceinline__ double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

struct Row {
  int index, own, lane;
  float* cosines;
  float scale;
  double weight;
};

__device__ __forceinline__ bool find(const Ge2eVectors& v, float* cosines, int stride, const float* scale, const float* weights, int weight_count, Row& row) {
  row.index = blockIdx.x * ROWS + threadIdx.x / WARP;
  row.lane = threadIdx.x % WARP;
  int rows = v.dialogues * v.utterances;
  if (row.index >= rows) return false;
  row.own = row.index % v.dialogues;
  row.cosines = cosines + int64_t(row.index) * stride;
  row.scale = *scale < SCALE_FLOOR ? SCALE_FLOOR : *scale;
  row.weight = (weights == nullptr ? 1.0 : double(weights[row.index % weight_count])) / rows;
  return true;
}

}  // namespace

KERNEL_BOUNDS(THREADS)
ge2e_centroids(const Ge2eVectors v, const float* __restrict__ members, int stride) {
  __shared__ float scratch[THREADS / WARP];
  int dialogue = blockIdx.x;
  float* sum = v.centroids + int64_t(dialogue) * v.width;
  float squares = 0.0f;
  for (int i = threadIdx.x; i < v.width; i += THREADS) {
    float value = 0.0f;
    for (int u = 0; u < v.utterances; u++) value += members[int64_t(u * v.dialogues + dialogue) * stride + i];
    sum[i] = value;
    squares = fmaf(value, value, squares);
  }
  float norm = sqrtf(block_sum(squares, scratch));
  for (int u = 0; u < v.utterances; u++) {
    int row = u * v.dialogues + dialogue;
    const float* unit = v.unit + int64_t(row) * v.width;
    float* other = v.others + int64_t(row) * v.width;
    float other_squares = 0.0f;
    for (int i = threadIdx.x; i < v.width; i += THREADS) {
      float value = sum[i] - members[int64_t(row) * stride + i];
      other[i] = value;
      other_squares = fmaf(value, value, other_squares);
    }
    float other_norm = sqrtf(block_sum(other_squares, scratch)), product = 0.0f;
    for (int i = threadIdx.x; i < v.width; i += THREADS) {
      other[i] /= floored(other_norm);
      product = fmaf(other[i], unit[i], product);
    }
    product = block_sum(product, scratch);
    if (threadIdx.x == 0) {
      v.other_norms[row] = other_norm;
      v.own_cosines[row] = product;
    }
  }
  for (int i = threadIdx.x; i < v.width; i += THREADS) sum[i] /= floored(norm);
  if (threadIdx.x == 0) v.centroid_norms[dialogue] = norm;
}
EXPORT_KERNEL(ge2e_centroids)

// results [3, rows]: loss, derivatives by scale and offset, weighted and divided by the rows. The loss is log(1 + others / own), as digits go.
KERNEL_BOUNDS(ROWS* WARP)
ge2e_softmax(const Ge2eVectors v, float* __restrict__ cosines, int stride, const float* __restrict__ scale, const float* __restrict__ offset,
             const float* __restrict__ weights, int weight_count, double* __restrict__ results) {
  Row row;
  if (!find(v, cosines, stride, scale, weights, weight_count, row)) return;  // Whole warps leave.
  float own = v.own_cosines[row.index], highest = own;
  for (int k = row.lane; k < v.dialogues; k += WARP) {
    if (k != row.own) highest = fmaxf(highest, row.cosines[k]);
  }
  highest = warp_max(highest);
  double others = 0.0, moment = 0.0;
  for (int k = row.lane; k < v.dialogues; k += WARP) {
    float cosine = row.cosines[k], power = k == row.own ? 0.0f : expf(row.scale * (cosine - highest));
    others += power;
    moment += double(power) * cosine;
    row.cosines[k] = power;
  }
  others = warp_sum(others);
  moment = warp_sum(moment);
  double own_power = exp(double(row.scale) * (own - highest)), all = others + own_power, share = others / all;
  float factor = float(row.weight * row.scale / all);
  for (int k = row.lane; k < v.dialogues; k += WARP) row.cosines[k] *= factor;
  if (row.lane != 0) return;
  int rows = v.dialogues * v.utterances;
  v.own_gradients[row.index] = float(-row.weight * row.scale * share);
  results[row.index] = row.weight * log1p(others / own_power);
  results[rows + row.index] = row.weight * (moment / all - share * own);
  results[2 * rows + row.index] = 0.0;
}
EXPORT_KERNEL(ge2e_softmax)

KERNEL_BOUNDS(ROWS* WARP)
ge2e_contrast(const Ge2eVectors v, float* __restrict__ cosines, int stride, const float* __restrict__ scale, const float* __restrict__ offset,
              const float* __restrict__ weights, int weight_count, double* __restrict__ results) {
  Row row;
  if (!find(v, cosines, stride, scale, weights, weight_count, row)) return;
  float highest = -1e30f;
  int hardest = -1;
  for (int k = row.lane; k < v.dialogues; k += WARP) {
    float cosine = row.cosines[k];
    row.cosines[k] = 0.0f;
    if (k == row.own || cosine <= highest || isnan(highest)) continue;  // A NaN stays.
    highest = cosine;
    hardest = k;
  }
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    float other = __shfl_xor_sync(FULL_WARP, highest, distance);
    int at = __shfl_xor_sync(FULL_WARP, hardest, distance);
    // Of equals the first counts.
    bool takes = at >= 0 && (hardest < 0 || other > highest || (other == highest && at < hardest) || isnan(other));
    highest = takes ? other : highest;
    hardest = takes ? at : hardest;
  }
  double own = v.own_cosines[row.index], missed = sigmoid(-(row.scale * own + *offset)), taken = 0.0, other = 0.0;
  if (hardest >= 0) {
    other = highest;
    taken = sigmoid(row.scale * other + *offset);
  }
  double own_slope = -missed * (1.0 - missed), other_slope = taken * (1.0 - taken);
  if (hardest >= 0 && row.lane == hardest % WARP) row.cosines[hardest] = float(row.weight * row.scale * other_slope);  // It wrote the 0.
  if (row.lane != 0) return;
  int rows = v.dialogues * v.utterances;
  v.own_gradients[row.index] = float(row.weight * row.scale * own_slope);
  results[row.index] = row.weight * (missed + taken);
  results[rows + row.index] = row.weight * (own_slope * own + other_slope * other);
  results[2 * rows + row.index] = row.weight * (own_slope + other_slope);
}
EXPORT_KERNEL(ge2e_contrast)

KERNEL_BOUNDS(THREADS)
ge2e_summarize(const double* __restrict__ results, int rows, float* __restrict__ loss, float* __restrict__ gradients) {
  __shared__ double scratch[THREADS / WARP];
  double sums[3] = {0.0, 0.0, 0.0};
  for (int row = threadIdx.x; row < rows; row += THREADS) {
#pragma unroll
    for (int k = 0; k < 3; k++) sums[k] += results[k * rows + row];
  }
#pragma unroll
  for (int k = 0; k < 3; k++) sums[k] = block_sum(sums[k], scratch);
  if (threadIdx.x != 0) return;
  loss[0] = float(sums[0]);
  gradients[0] = float(sums[1]);
  gradients[1] = float(sums[2]);
}
EXPORT_KERNEL(ge2e_summarize)

// unit_gradient and centroid_gradient hold the products of the derivatives, and are used up.
KERNEL_BOUNDS(THREADS)
ge2e_gradient(const Ge2eVectors v, float* __restrict__ unit_gradient, float* __restrict__ centroid_gradient, int normalize_first,
              const float* __restrict__ loss_gradient, float* __restrict__ target, int target_stride, int accumulate) {
  __shared__ float scratch[THREADS / WARP];
  int dialogue = blockIdx.x;
  const float* centroid = v.centroids + int64_t(dialogue) * v.width;
  float* common = centroid_gradient + int64_t(dialogue) * v.width;
  float along = 0.0f, norm = v.centroid_norms[dialogue];
  for (int i = threadIdx.x; i < v.width; i += THREADS) along = fmaf(centroid[i], common[i], along);
  along = block_sum(along, scratch);
  if (norm < NORM_FLOOR) along = 0.0f;
  // What every member gets: ds and all of the dd.
  for (int i = threadIdx.x; i < v.width; i += THREADS) {
    float value = (common[i] - along * centroid[i]) / floored(norm);
    for (int u = 0; u < v.utterances; u++) value += other_gradient(v, u * v.dialogues + dialogue, i);
    common[i] = value;
  }
  for (int u = 0; u < v.utterances; u++) {
    int row = u * v.dialogues + dialogue;
    const float* unit = v.unit + int64_t(row) * v.width;
    const float* other = v.others + int64_t(row) * v.width;
    float* gradient = unit_gradient + int64_t(row) * v.width;
    float row_along = 0.0f, row_norm = v.norms[row];
    for (int i = threadIdx.x; i < v.width; i += THREADS) {
      float value = fmaf(v.own_gradients[row], other[i], gradient[i]);
      if (normalize_first != 0) value += common[i] - other_gradient(v, row, i);
      gradient[i] = value;
      row_along = fmaf(unit[i], value, row_along);
    }
    row_along = block_sum(row_along, scratch);
    if (row_norm < NORM_FLOOR) row_along = 0.0f;
    for (int i = threadIdx.x; i < v.width; i += THREADS) {
      float value = (gradient[i] - row_along * unit[i]) / floored(row_norm);
      if (normalize_first == 0) value += common[i] - other_gradient(v, row, i);
      float* to = target + int64_t(row) * target_stride + i;
      *to = accumulate != 0 ? fmaf(value, *loss_gradient, *to) : value * *loss_gradient;
    }
  }
}
EXPORT_KERNEL(ge2e_gradient)

KERNEL_BOUNDS(WARP)
ge2e_scalars(const float* __restrict__ derivative, const float* __restrict__ loss_gradient, float* __restrict__ gradient, int accumulate) {
  if (threadIdx.x != 0) return;
  float value = *derivative * *loss_gradient;
  *gradient = accumulate != 0 ? *gradient + value : value;
}
EXPORT_KERNEL(ge2e_scalars)
