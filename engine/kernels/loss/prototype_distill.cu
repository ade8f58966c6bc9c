// DINO's loss over prototypes, block by block of prototypes; the products x·v_k come from mat_mul.cu.
//
// Logits S = x·v_k / ‖v_k‖ of the student, T − c of the teacher. With powers 2^(k·logit − shift), k = log2(e) / τ, shift an integer:
//   sums       per row and part of 512 prototypes: shift, Σ power; of the teacher also Σ power · T and, for each other view s, Σ power · S_s
//   merge      the parts of a row, in f64: log Σ, entropy, Σ_s Σ_k q_t S_s
//   derive     dS / ‖v_k‖ with dS = factor · Σ_{t≠s} (p_s − q_t), in place of the products
//   gradient   dv_k = (dw_k − w_k (w_k·dw_k)) / ‖v_k‖, from the product of derive's result and the student's rows
// Rows are view-major: view v of utterance i is row v · batch + i; the student's rows lie before the teacher's.
//
// Traffic of a block of logits: read (2 + V) times forward, from the second-level cache; read and written once backward.
#include "common/reduce.cuh"

// Field by field those of the host.
struct DistillSizes {
  int batch, student_views, teacher_views;
  float student_scale, teacher_scale;  // k
};

struct DistillBlock {
  float* logits;                       // Products [student rows + teacher rows, stride].
  const float* student_inverse_norms;  // Of the block's first prototype on, as the next two.
  const float* teacher_inverse_norms;
  const float* centre;
  int stride, columns;
};

// A part's share of a row's softmax.
struct PowerSums {
  float shift, powers;
};

struct TeacherSums {
  float moment, highest;  // Σ power · logit; the highest logit.
};

namespace {

constexpr int EACH = 16, PART = WARP * EACH, WARPS = 4, THREADS = WARP * WARPS;
constexpr float NOTHING = -3e38f;  // A logit whose power is 0.
constexpr double LOG_OF_TWO = 0.6931471805599453;

// 1 / 1e-12: the inverse norm of what has none.
constexpr float NORM_FLOOR = 1e-12f;

// The lane's logits of one row, and the row's highest in the part. centre is null for the student.
__device__ __forceinline__ float load(const float* row, const float* inverse_norms, const float* centre, int column, int columns, float (&logits)[EACH]) {
  float highest = NOTHING;
#pragma unroll
  for (int j = 0; j < EACH; j++) {
    int k = column + j * WARP;
    float value = NOTHING;
    if (k < columns) value = centre == nullptr ? row[k] * inverse_norms[k] : row[k] * inverse_norms[k] - centre[k];
    logits[j] = value;
    highest = fmaxf(highest, value);
  }
  return warp_max(highest);
}

__device__ __forceinline__ float power(float logit, float scale, float shift) { return exp2f(fmaf(logit, scale, -shift)); }

__device__ __forceinline__ double lifted(float sum, float from, float to) { return ldexp(double(sum), int(fmaxf(from - to, -2000.0f))); }

}  // namespace

// mean [width] of the rows of x, in f64. Grid width / 32, block (32, 8).
KERNEL_BOUNDS(WARP * 8)
prototype_distill_mean(const float* __restrict__ x, int stride, int rows, int width, float* __restrict__ mean) {
  __shared__ double lanes[8][WARP];
  int column = blockIdx.x * WARP + threadIdx.x;
  double sum = 0.0;
  for (int row = threadIdx.y; row < rows && column < width; row += 8) sum += x[int64_t(row) * stride + column];
  lanes[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= width) return;
  for (int lane = 1; lane < 8; lane++) sum += lanes[lane][threadIdx.x];
  mean[column] = float(sum / rows);
}
EXPORT_KERNEL(prototype_distill_mean)

// A warp a prototype: 1 / ‖v_k‖, and while the row is at hand the logits of a mean row: logits are linear, so they are the mean logits.
KERNEL_BOUNDS(THREADS)
prototype_distill_norms(const float* __restrict__ prototypes, int stride, int rows, int width, float* __restrict__ inverse_norms,
                        const float* __restrict__ mean, float* __restrict__ mean_logits) {
  int row = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;  // Whole warps leave.
  const float* v = prototypes + int64_t(row) * stride;
  float squares = 0.0f, product = 0.0f;
  for (int i = lane; i < width; i += WARP) {
    squares = fmaf(v[i], v[i], squares);
    if (mean != nullptr) product = fmaf(v[i], mean[i], product);
  }
  float norm = sqrtf(warp_sum(squares));
  product = warp_sum(product);
  if (lane != 0) return;
  float inverse = 1.0f / (norm < NORM_FLOOR ? NORM_FLOOR : norm);  // A comparison keeps a NaN.
  inverse_norms[row] = inverse;
  if (mean != nullptr) mean_logits[row] = product * inverse;
}
EXPORT_KERNEL(prototype_distill_norms)

// A warp an utterance and part. Grid (batch / 4, parts of the block). sums [parts, rows], teacher_sums [parts, teacher rows],
// products [parts, teacher views, student rows], where those of a view with itself stay unwritten.
KERNEL_BOUNDS(THREADS)
prototype_distill_sums(const DistillSizes sizes, const DistillBlock block, int first_part, PowerSums* __restrict__ sums,
                       TeacherSums* __restrict__ teacher_sums, float* __restrict__ products) {
  int item = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (item >= sizes.batch) return;
  int column = blockIdx.y * PART + lane, student_rows = sizes.student_views * sizes.batch, teacher_rows = sizes.teacher_views * sizes.batch;
  int64_t part = first_part + blockIdx.y;
  sums += part * (student_rows + teacher_rows);
  teacher_sums += part * teacher_rows;
  products += part * sizes.teacher_views * student_rows;
  float logits[EACH], powers[EACH];

  for (int s = 0; s < sizes.student_views; s++) {
    int row = s * sizes.batch + item;
    float highest = load(block.logits + int64_t(row) * block.stride, block.student_inverse_norms, nullptr, column, block.columns, logits);
    float shift = ceilf(highest * sizes.student_scale), sum = 0.0f;
#pragma unroll
    for (int j = 0; j < EACH; j++) sum += power(logits[j], sizes.student_scale, shift);
    sum = warp_sum(sum);
    if (lane == 0) sums[row] = PowerSums{shift, sum};
  }

  for (int t = 0; t < sizes.teacher_views; t++) {
    int row = t * sizes.batch + item;
    float highest =
        load(block.logits + int64_t(student_rows + row) * block.stride, block.teacher_inverse_norms, block.centre, column, block.columns, logits);
    float shift = ceilf(highest * sizes.teacher_scale), sum = 0.0f, moment = 0.0f;
#pragma unroll
    for (int j = 0; j < EACH; j++) {
      powers[j] = power(logits[j], sizes.teacher_scale, shift);
      sum += powers[j];
      moment = fmaf(powers[j], logits[j], moment);
    }
    sum = warp_sum(sum);
    moment = warp_sum(moment);
    if (lane == 0) {
      sums[student_rows + row] = PowerSums{shift, sum};
      teacher_sums[row] = TeacherSums{moment, highest};
    }
    for (int s = 0; s < sizes.student_views; s++) {
      if (s == t) continue;
      int other = s * sizes.batch + item;
      load(block.logits + int64_t(other) * block.stride, block.student_inverse_norms, nullptr, column, block.columns, logits);
      float product = 0.0f;
#pragma unroll
      for (int j = 0; j < EACH; j++) product = fmaf(powers[j], logits[j], product);
      product = warp_sum(product);
      if (lane == 0) products[t * student_rows + other] = product;
    }
  }
}
EXPORT_KERNEL(prototype_distill_sums)

// A warp a row. shifts, shares [rows]: p = share · 2^(k·logit − shift). results [4, rows] in f64: log Σ e^(logit/τ); entropy, highest probability and
// Σ_{s≠t} Σ_k q_t S_s, which mean something for the teacher's rows only.
KERNEL_BOUNDS(THREADS)
prototype_distill_merge(const DistillSizes sizes, int parts, const PowerSums* __restrict__ sums, const TeacherSums* __restrict__ teacher_sums,
                        const float* __restrict__ products, float* __restrict__ shifts, float* __restrict__ shares, double* __restrict__ results) {
  int row = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  int student_rows = sizes.student_views * sizes.batch, teacher_rows = sizes.teacher_views * sizes.batch, rows = student_rows + teacher_rows;
  if (row >= rows) return;
  float shift = NOTHING;
  for (int part = lane; part < parts; part += WARP) shift = fmaxf(shift, sums[int64_t(part) * rows + row].shift);
  shift = warp_max(shift);
  double powers = 0.0;
  for (int part = lane; part < parts; part += WARP) {
    PowerSums one = sums[int64_t(part) * rows + row];
    powers += lifted(one.powers, one.shift, shift);
  }
  powers = warp_sum(powers);

  float highest = NOTHING;
  double moment = 0.0, product = 0.0;
  if (row >= student_rows) {
    int teacher = row - student_rows, t = teacher / sizes.batch, item = teacher % sizes.batch;
    for (int part = lane; part < parts; part += WARP) {
      float from = sums[int64_t(part) * rows + row].shift;
      TeacherSums one = teacher_sums[int64_t(part) * teacher_rows + teacher];
      highest = fmaxf(highest, one.highest);
      moment += lifted(one.moment, from, shift);
      const float* of_part = products + (int64_t(part) * sizes.teacher_views + t) * student_rows + item;
      for (int s = 0; s < sizes.student_views; s++) {
        if (s != t) product += lifted(of_part[s * sizes.batch], from, shift);
      }
    }
    highest = warp_max(highest);
    moment = warp_sum(moment) / powers;
    product = warp_sum(product) / powers;
  }
  if (lane != 0) return;
  double log_sum = log(powers) + LOG_OF_TWO * shift;
  shifts[row] = shift;
  shares[row] = float(1.0 / powers);
  results[row] = log_sum;
  results[rows + row] = log_sum - LOG_OF_TWO * sizes.teacher_scale * moment;
  results[2 * rows + row] = exp(LOG_OF_TWO * (double(highest) * sizes.teacher_scale - shift)) / powers;
  results[3 * rows + row] = product;
}
EXPORT_KERNEL(prototype_distill_merge)

// One block: the mean loss over pairs of views and utterances; mean entropy, loss − entropy, mean highest probability.
KERNEL_BOUNDS(256)
prototype_distill_summarize(const DistillSizes sizes, const double* __restrict__ results, float* __restrict__ loss, float* __restrict__ statistics) {
  __shared__ double scratch[256 / WARP];
  int student_rows = sizes.student_views * sizes.batch, teacher_rows = sizes.teacher_views * sizes.batch, rows = student_rows + teacher_rows;
  double sum = 0.0, entropy = 0.0, highest = 0.0;
  for (int row = threadIdx.x; row < student_rows; row += 256) {
    sum += results[row] * (row < teacher_rows ? sizes.teacher_views - 1 : sizes.teacher_views);
  }
  for (int row = student_rows + threadIdx.x; row < rows; row += 256) {
    sum -= LOG_OF_TWO * sizes.student_scale * results[3 * rows + row];
    entropy += results[rows + row];
    highest += results[2 * rows + row];
  }
  sum = block_sum(sum, scratch) / (double(teacher_rows) * (sizes.student_views - 1));
  entropy = block_sum(entropy, scratch) / teacher_rows;
  highest = block_sum(highest, scratch) / teacher_rows;
  if (threadIdx.x != 0) return;
  loss[0] = float(sum);
  statistics[0] = float(entropy);
  statistics[1] = float(sum - entropy);
  statistics[2] = float(highest);
}
EXPORT_KERNEL(prototype_distill_summarize)

// A thread an utterance and prototype. Grid (columns / 256, batch).
KERNEL_BOUNDS(256)
prototype_distill_derive(const DistillSizes sizes, const DistillBlock block, const float* __restrict__ shifts, const float* __restrict__ shares,
                         const float* __restrict__ loss_gradient, float scale) {
  int k = blockIdx.x * 256 + threadIdx.x, item = blockIdx.y;
  if (k >= block.columns) return;
  float teacher_norm = block.teacher_inverse_norms[k], centre = block.centre[k], norm = block.student_inverse_norms[k];
  float factor = *loss_gradient * scale * norm;
  auto target = [&](int t) {
    int row = (sizes.student_views + t) * sizes.batch + item;
    float logit = block.logits[int64_t(row) * block.stride + k] * teacher_norm - centre;
    return power(logit, sizes.teacher_scale, shifts[row]) * shares[row];
  };
  float targets = 0.0f;
  for (int t = 0; t < sizes.teacher_views; t++) targets += target(t);
  for (int s = 0; s < sizes.student_views; s++) {
    int row = s * sizes.batch + item, terms = sizes.teacher_views - (s < sizes.teacher_views ? 1 : 0);
    float* at = block.logits + int64_t(row) * block.stride + k;
    float probability = power(*at * norm, sizes.student_scale, shifts[row]) * (shares[row] * terms);
    *at = (probability - (s < sizes.teacher_views ? targets - target(s) : targets)) * factor;
  }
}
EXPORT_KERNEL(prototype_distill_derive)

// A warp a prototype of the block. scaled [rows, width] holds dw_k / ‖v_k‖. Below the norm's floor v_k is only scaled, so that nothing is taken off.
KERNEL_BOUNDS(THREADS)
prototype_distill_gradient(const float* __restrict__ scaled, const float* __restrict__ prototypes, int stride, const float* __restrict__ inverse_norms,
                           float* __restrict__ gradient, int gradient_stride, int rows, int width, int accumulate) {
  int row = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;
  const float* from = scaled + int64_t(row) * width;
  const float* v = prototypes + int64_t(row) * stride;
  float inverse = inverse_norms[row], along = 0.0f;
  for (int i = lane; i < width; i += WARP) along = fmaf(v[i], from[i], along);
  along = warp_sum(along) * inverse * inverse;
  if (inverse >= 1.0f / NORM_FLOOR) along = 0.0f;
  for (int i = lane; i < width; i += WARP) {
    float* to = gradient + int64_t(row) * gradient_stride + i;
    float value = fmaf(-along, v[i], from[i]);
    *to = accumulate != 0 ? *to + value : value;
  }
}
EXPORT_KERNEL(prototype_distill_gradient)
