// The NT-Xent family and, through the same kernels, the margin classifier; the method is in common/cosine_softmax.cuh.
//
// rows: 2·N·M·D operations, reads N·D + M·D·N/32 from the second-level cache. gradient: twice that for each set that wants one (all of it at
// once where both views are one set). Extra memory: the unit rows, their gradients and 20 bytes an anchor and part; never N × M.
//
// On compute capability 9.0 rows and gradient also exist for rounded unit rows, see common/cosine_wgmma.cuh, where HAS_SM90A is set.
#include "common/cosine_softmax.cuh"
#include "common/cosine_wgmma.cuh"
#include "common/reduce.cuh"

// Grid (rows / 32, parts), block 256.
KERNEL_BLOCKS(cosine_softmax::THREADS, 3)
similarity_softmax_rows(const CosineProblem problem, int each, NegativeSums* __restrict__ sums, float* __restrict__ positive_cosines) {
  cosine_softmax::rows(problem, each, sums, positive_cosines);
}
EXPORT_KERNEL(similarity_softmax_rows)

// One thread an anchor: merges the parts in order. results [4, rows] in f64: loss, cosine of the positive, sum and number of the negatives'
// cosines; hits [rows]. qualities: of each anchor where the margin adapts to it, else null. Losses and factors are weighted; an anchor without negatives has loss 0.
KERNEL_BOUNDS(128)
similarity_softmax_solve(int rows, const NegativeSums* __restrict__ sums, int parts, const float* __restrict__ positive_cosines,
                         const MarginRule margin, const float* __restrict__ qualities, float fixed_scale, const float* __restrict__ learned_scale, const float* __restrict__ weights,
                         int weight_count, float factor, cosine_softmax::AnchorFactors* __restrict__ factors, double* __restrict__ results,
                         int* __restrict__ hits) {
  constexpr double LOG_OF_TWO = 0.6931471805599453;
  int anchor = blockIdx.x * blockDim.x + threadIdx.x;
  if (anchor >= rows) return;
  float scale = cosine_scale(learned_scale, fixed_scale);
  float positive = positive_cosines[anchor], highest = cosine_softmax::NOTHING;
  double slope, logit = margin.apply(positive, qualities == nullptr ? 0.0 : qualities[anchor], &slope) * scale, shift = ceil(logit), cosines = 0.0, count = 0.0;
  for (int part = 0; part < parts; part++) shift = fmax(shift, double(sums[int64_t(part) * rows + anchor].shift));
  double negatives = 0.0;
  for (int part = 0; part < parts; part++) {
    NegativeSums one = sums[int64_t(part) * rows + anchor];
    negatives += ldexp(double(one.powers), int(fmax(one.shift - shift, -2000.0)));
    cosines += one.cosines;
    count += one.count;
    highest = one.highest <= highest ? highest : one.highest;
  }
  double weight = weights == nullptr ? factor : double(factor) * weights[anchor % weight_count];
  double gradient_scale = weight * scale * LOG_OF_TWO / rows;
  double x = log(negatives) + LOG_OF_TWO * (shift - logit), tail = exp(-fabs(x));
  double share = x >= 0.0 ? 1.0 / (1.0 + tail) : tail / (1.0 + tail);
  results[anchor] = weight * (fmax(x, 0.0) + log1p(tail));
  if (isnan(x)) results[anchor] = x;
  results[rows + anchor] = positive;
  results[2 * rows + anchor] = cosines;
  results[3 * rows + anchor] = count;
  hits[anchor] = positive >= highest ? 1 : 0;
  factors[anchor].shift = float(shift);
  factors[anchor].positive_gradient = float(-slope * share * gradient_scale);
  factors[anchor].power_factor = float(gradient_scale / (negatives + exp(LOG_OF_TWO * (logit - shift))));
}
EXPORT_KERNEL(similarity_softmax_solve)

// One block: the mean loss, and mean cosine of positives, of negatives, and share of hits.
KERNEL_BOUNDS(256)
similarity_softmax_summarize(int rows, const double* __restrict__ results, const int* __restrict__ hits, float* __restrict__ loss,
                             float* __restrict__ statistics) {
  __shared__ double scratch[256 / WARP];
  double sums[5] = {0.0, 0.0, 0.0, 0.0, 0.0};
  for (int i = threadIdx.x; i < rows; i += 256) {
#pragma unroll
    for (int k = 0; k < 4; k++) sums[k] += results[k * rows + i];
    sums[4] += hits[i];
  }
#pragma unroll
  for (int k = 0; k < 5; k++) sums[k] = block_sum(sums[k], scratch);
  if (threadIdx.x != 0) return;
  loss[0] = float(sums[0] / rows);
  statistics[0] = float(sums[1] / rows);
  statistics[1] = float(sums[2] / sums[3]);
  statistics[2] = float(sums[4] / rows);
}
EXPORT_KERNEL(similarity_softmax_summarize)

// Grid (own rows / 32, width / 128 or width / 512, parts of the others), block 256; the variants differ in how much of the width a block sums.
KERNEL_BLOCKS(cosine_softmax::THREADS, 2)
similarity_softmax_gradient_128(const CosineProblem problem, int roles, const cosine_softmax::AnchorFactors* __restrict__ factors,
                                int each, float* __restrict__ result) {
  cosine_softmax::gradient<4>(problem, roles, factors, each, result);
}
EXPORT_KERNEL(similarity_softmax_gradient_128)

KERNEL_BLOCKS(cosine_softmax::THREADS, 1)
similarity_softmax_gradient_512(const CosineProblem problem, int roles, const cosine_softmax::AnchorFactors* __restrict__ factors,
                                int each, float* __restrict__ result) {
  cosine_softmax::gradient<16>(problem, roles, factors, each, result);
}
EXPORT_KERNEL(similarity_softmax_gradient_512)

// dw of a learned scale: an anchor's unit row times the gradient by it is Σ derivative by a cosine · cosine, and w · cosine is the logit.
// A warp a row, four rows a block; then one block.
KERNEL_BOUNDS(4 * WARP)
similarity_softmax_row_products(const float* __restrict__ unit, const float* __restrict__ gradient, int rows, int width, double* __restrict__ products) {
  int row = blockIdx.x * 4 + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= rows) return;  // Whole warps leave.
  double sum = 0.0;
  for (int i = lane; i < width; i += WARP) sum += double(unit[int64_t(row) * width + i]) * gradient[int64_t(row) * width + i];
  sum = warp_sum(sum);
  if (lane == 0) products[row] = sum;
}
EXPORT_KERNEL(similarity_softmax_row_products)

// share: 1/2 where every cosine counts for both of its rows.
KERNEL_BOUNDS(256)
similarity_softmax_scale_gradient(const double* __restrict__ products, int rows, const float* __restrict__ scale, float share,
                                  const float* __restrict__ loss_gradient, float* __restrict__ gradient, int accumulate) {
  __shared__ double scratch[256 / WARP];
  double sum = 0.0;
  for (int row = threadIdx.x; row < rows; row += 256) sum += products[row];
  sum = block_sum(sum, scratch);
  if (threadIdx.x != 0) return;
  float value = float(*loss_gradient * sum * share / (*scale < 1e-6f ? 1e-6f : *scale));
  gradient[0] = accumulate != 0 ? gradient[0] + value : value;
}
EXPORT_KERNEL(similarity_softmax_scale_gradient)

#ifdef HAS_WGMMA
// Widths up to 128, 256 and 512; grids as of the kernels above, with own rows / 128; blocks of 288 and of 384. Maps of the rounded copies: see
// common/streamed_rows.cuh; boxes of 128 own and of 64 other rows.
#define ON_WARPGROUPS(width, pieces, stages, blocks)                                                                                              \
  KERNEL_BLOCKS(streamed::THREADS, blocks)                                                                                                        \
  similarity_softmax_rows_wgmma_##width(const __grid_constant__ TensorMap anchors, const __grid_constant__ TensorMap candidates,                  \
                                        const CosineProblem problem, int each, NegativeSums* __restrict__ sums,                                   \
                                        float* __restrict__ positive_cosines) {                                                                   \
    cosine_softmax::rows_on_warpgroups<stages>(anchors, candidates, problem, each, sums, positive_cosines);                                       \
  }                                                                                                                                               \
  EXPORT_KERNEL(similarity_softmax_rows_wgmma_##width)                                                                                            \
  KERNEL_BLOCKS(streamed::THREADS_FOR_REGISTERS, 1)                                                                                               \
  similarity_softmax_gradient_wgmma_##width(const __grid_constant__ TensorMap own, const __grid_constant__ TensorMap other,                       \
                                            const CosineProblem problem, int roles, const cosine_softmax::AnchorFactors* __restrict__ factors,    \
                                            int each, float* __restrict__ result) {                                                               \
    cosine_softmax::gradient_on_warpgroups<pieces, stages>(own, other, problem, roles, factors, each, result);                                    \
  }                                                                                                                                               \
  EXPORT_KERNEL(similarity_softmax_gradient_wgmma_##width)

ON_WARPGROUPS(128, 2, 8, 2)
ON_WARPGROUPS(256, 4, 12, 1)
ON_WARPGROUPS(512, 4, 12, 1)
#endif
