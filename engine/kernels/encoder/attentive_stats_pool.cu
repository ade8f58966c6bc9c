// Attentive statistics pooling of x [N, T, C] by scores [N, T, C] = hidden [N, T, H] · weightᵀ + bias: weights α = softmax of the scores over time, mean
// μ = Σ α x, deviation σ = √max(Σ α (x − μ)², ε). The linear map and the norm before the hidden units are mat_mul.cu's and batch_norm.cu's.
//
//   backward  u = dμ, v = dσ / (2σ), 0 at the floor;  dscore = α (u d + v (d² − variance));  dx = α (u + 2 v d);  d = x − μ
//
// Neither scores nor weights are stored. A block takes 64 channels of a part of an utterance's frames; tiles of 64 × 64 scores are made by
// common/row_products.cuh in the device's precision and used in registers:
//   forward   moments under an online softmax (common/weighted_moments.cuh), of a thread's frames, then lanes, then warps; _merge adds the parts in order
//   backward  the same scores again, to the bit, so α = e^(score − highest) / Σ; the gradient of the scores is stored, as two products after it read it
// Parts follow from the shape alone, and there are no atomics: the same bits always. Values are taken about the utterance's first frame: the digits of a
// mean that is large against the deviation are kept, here and backward.
//
// R rows. Work, each way: 2 · R · H · C operations and R · C exponentials; forward one more for each 4 or 8 frames that a thread has of a tile.
// Traffic: forward reads 4 · R · C bytes of x; backward too, and writes 4 · R · C each of dx and dscore. Hidden units come from the second-level
// cache, 4 · R · H bytes for every 64 channels, as neighbouring blocks share an utterance; rows of the weight once a block, or a tile where H is large.
#include "common/element_tiles.cuh"
#include "common/row_products.cuh"
#include "common/time_sums.cuh"
#include "common/weighted_moments.cuh"

// Field by field that of the host.
struct AttentionProblem {
  const float *x, *hidden, *weight, *bias;
  int stride, stride_hidden, stride_weight;  // From row to row.
  int items, frames, channels, width;
  int each;      // Frames of a part, a multiple of a tile.
  int resident;  // Whether a block's rows of the weight stay in shared memory.
};

// Field by field that of the host.
struct AttentionGradient {
  const float *softmax, *y, *variances, *dy;
  float *dx, *dscores;  // dx may be null.
  int stride_dy, stride_dx, stride_dscores;
  int accumulate;  // Whether dx adds to what is there.
  float eps;
};

namespace {

constexpr int COLUMNS = time_sums::COLUMNS, LANES = time_sums::LANES;
constexpr int TILE = 64, THREADS = 2 * TILE;

// What of the problem is a block's: grid (channels / 64, utterances, parts).
struct Share {
  int first_channel, first_frame, end_frame;
  int64_t row;  // Of the utterance's first frame.

  __device__ __forceinline__ explicit Share(const AttentionProblem& p)
      : first_channel(blockIdx.x * TILE), first_frame(blockIdx.z * p.each), end_frame(min(p.frames, first_frame + p.each)),
        row(int64_t(blockIdx.y) * p.frames) {}
};

// Calls use(frame) with the sums of scores, less the bias, of 64 frames from that on.
template <typename Math, typename Use>
__device__ __forceinline__ void for_each_tile(const AttentionProblem& p, const Share& share, Math& math, Use use) {
  gemm::RowsView hidden = {p.hidden + share.row * p.stride_hidden, p.frames, p.width, p.stride_hidden};
  gemm::RowsView weight = {p.weight, p.channels, p.width, p.stride_weight};
  gemm::RowProducts<Math, TILE>(hidden, share.first_frame, share.end_frame, weight, share.first_channel, p.resident != 0).for_each(math, use);
}

// partial [parts, 4, N, C]: highest score, Σ e^(score − highest), mean about the first frame and squared deviations under these weights.
template <template <bool, bool, int> class Arithmetic>
__device__ __forceinline__ void forward(const AttentionProblem& p, float* __restrict__ partial) {
  using Math = Arithmetic<true, true, TILE>;
  __shared__ WeightedMoments of_warps[Math::ROW_WARPS][TILE];
  Share share(p);
  Math math;
  WeightedMoments moments[Math::OWN_COLUMNS];
  const float* x = p.x + share.row * p.stride + share.first_channel;
  for_each_tile(p, share, math, [&](int first_frame) {
    int frame = first_frame + Math::row_of(0), own_frames = divide_up(share.end_frame - frame, Math::ROWS_APART);
#pragma unroll
    for (int j = 0; j < Math::OWN_COLUMNS; j++) {
      int column = Math::column_of(j);
      if (share.first_channel + column >= p.channels) continue;
      const float* own = x + int64_t(frame) * p.stride + column;
      float bias = __ldg(p.bias + share.first_channel + column), pivot = __ldg(x + column);
      moments[j].add(WeightedMoments::of<Math::OWN_ROWS>(
          own_frames, [&](int i) { return math.sum(i, j) + bias; }, [&](int i) { return __ldg(own + i * Math::ROWS_APART * p.stride) - pivot; }));
    }
  });
#pragma unroll
  for (int j = 0; j < Math::OWN_COLUMNS; j++) {
#pragma unroll
    for (int apart = Math::LANES_APART; apart < WARP; apart *= 2) moments[j] = moments[j].with_lane(apart);
    if (threadIdx.x % WARP < Math::LANES_APART) of_warps[Math::row_warp()][Math::column_of(j)] = moments[j];
  }
  __syncthreads();
  int column = threadIdx.x, channel = share.first_channel + column;
  if (column >= TILE || channel >= p.channels) return;
  WeightedMoments all = of_warps[0][column];
  for (int warp = 1; warp < Math::ROW_WARPS; warp++) all.add(of_warps[warp][column]);
  int64_t plane = int64_t(p.items) * p.channels;
  float* to = partial + 4 * blockIdx.z * plane + int64_t(blockIdx.y) * p.channels + channel;
  to[0] = all.highest;
  to[plane] = all.sum;
  to[2 * plane] = all.mean;
  to[3 * plane] = all.deviation;
}

// Makes the gradients of what scores and x meet in, two neighbouring channels at a time where memory allows it: where gemm's arithmetics hand their sums.
class GradientSink {
 public:
  // What a block's channels need: a thread a channel.
  struct Table {
    float bias[TILE], highest[TILE], inverse[TILE], pivot[TILE], mean[TILE], variance[TILE], u[TILE], v[TILE];

    __device__ __forceinline__ void fill(const AttentionProblem& p, const AttentionGradient& g, const Share& share) {
      int column = threadIdx.x, channel = share.first_channel + column;
      if (column >= TILE || channel >= p.channels) return;
      int64_t plane = int64_t(p.items) * p.channels, at = int64_t(blockIdx.y) * p.channels + channel;
      const float* dy = g.dy + int64_t(blockIdx.y) * g.stride_dy + channel;
      bias[column] = p.bias[channel];
      highest[column] = g.softmax[at];
      inverse[column] = g.softmax[plane + at];
      mean[column] = g.softmax[2 * plane + at];
      pivot[column] = p.x[share.row * p.stride + channel];
      variance[column] = g.variances[at];
      u[column] = dy[0];
      v[column] = variance[column] < g.eps ? 0.0f : 0.5f * dy[p.channels] / g.y[(2 * int64_t(blockIdx.y) + 1) * p.channels + channel];
    }
  };

  __device__ __forceinline__ GradientSink(const AttentionProblem& p, const AttentionGradient& g, const Share& share, const Table& table)
      : table_(table), x_(p.x + share.row * p.stride + share.first_channel),
        dx_(g.dx == nullptr ? nullptr : g.dx + share.row * g.stride_dx + share.first_channel),
        dscores_(g.dscores + share.row * g.stride_dscores + share.first_channel), stride_(p.stride), stride_dx_(g.stride_dx),
        stride_dscores_(g.stride_dscores), end_frame_(share.end_frame), columns_(p.channels - share.first_channel), accumulate_(g.accumulate != 0),
        by_twos_((reinterpret_cast<uint64_t>(p.x) | reinterpret_cast<uint64_t>(g.dx) | reinterpret_cast<uint64_t>(g.dscores)) % 8 == 0 &&
                 (p.stride | g.stride_dx | g.stride_dscores) % 2 == 0) {}

  // The tile that begins with a frame comes next.
  __device__ __forceinline__ void at(int frame) { frame_ = frame; }

  __device__ __forceinline__ void one(int row, int column, float sum) const {
    int frame = frame_ + row;
    if (frame >= end_frame_ || column >= columns_) return;
    float ds, gradient = of(column, sum, x_[int64_t(frame) * stride_ + column], ds);
    dscores_[int64_t(frame) * stride_dscores_ + column] = ds;
    if (dx_ == nullptr) return;
    float* to = dx_ + int64_t(frame) * stride_dx_ + column;
    *to = accumulate_ ? *to + gradient : gradient;
  }

  // Two neighbouring columns from an even one on.
  __device__ __forceinline__ void two(int row, int column, float sum, float next) const {
    if (!by_twos_ || column + 1 >= columns_) {
      one(row, column, sum);
      one(row, column + 1, next);
      return;
    }
    int frame = frame_ + row;
    if (frame >= end_frame_) return;
    float2 x = *reinterpret_cast<const float2*>(x_ + int64_t(frame) * stride_ + column), ds, gradient;
    gradient.x = of(column, sum, x.x, ds.x);
    gradient.y = of(column + 1, next, x.y, ds.y);
    *reinterpret_cast<float2*>(dscores_ + int64_t(frame) * stride_dscores_ + column) = ds;
    if (dx_ == nullptr) return;
    float2* to = reinterpret_cast<float2*>(dx_ + int64_t(frame) * stride_dx_ + column);
    if (accumulate_) {
      float2 old = *to;
      gradient.x += old.x;
      gradient.y += old.y;
    }
    *to = gradient;
  }

 private:
  // The gradient by a value of x, and by its score.
  __device__ __forceinline__ float of(int column, float sum, float x, float& ds) const {
    float weight = expf(sum + table_.bias[column] - table_.highest[column]) * table_.inverse[column];
    float d = x - table_.pivot[column] - table_.mean[column], u = table_.u[column], v = table_.v[column];
    ds = weight * fmaf(v, fmaf(d, d, -table_.variance[column]), u * d);
    return weight * fmaf(2.0f * v, d, u);
  }

  const Table& table_;
  const float* x_;
  float *dx_, *dscores_;
  int stride_, stride_dx_, stride_dscores_, end_frame_, columns_, frame_ = 0;
  bool accumulate_, by_twos_;
};

template <template <bool, bool, int> class Arithmetic>
__device__ __forceinline__ void backward(const AttentionProblem& p, const AttentionGradient& g) {
  using Math = Arithmetic<true, true, TILE>;
  __shared__ GradientSink::Table table;
  Share share(p);
  table.fill(p, g, share);
  __syncthreads();
  GradientSink sink(p, g, share, table);
  Math math;
  for_each_tile(p, share, math, [&](int frame) {
    sink.at(frame);
    math.for_each(sink);
  });
}

}  // namespace

// hidden [N, T, H] += shared [N, H], the context's part, for all frames. Tiles of common/element_tiles.cuh.
KERNEL_BOUNDS(element_tiles::THREADS)
attentive_stats_pool_add_shared(float* __restrict__ hidden, int stride, const float* __restrict__ shared, int stride_shared, int rows, int frames,
                                int columns) {
  element_tiles::for_each(rows, columns, [&](int64_t row, int column) { hidden[row * stride + column] += shared[row / frames * stride_shared + column]; });
}
EXPORT_KERNEL(attentive_stats_pool_add_shared)

// Its backward: Σ_t of the gradient. Grid (columns / 32, utterances), block (32, 8).
KERNEL_BOUNDS(COLUMNS* LANES)
attentive_stats_pool_sum_shared(const float* __restrict__ gradient, int stride, int frames, int columns, float* __restrict__ shared, int stride_shared,
                                int accumulate) {
  float sum = time_sums::of_channel(gradient, stride, nullptr, 0, frames, columns);
  int column = blockIdx.x * COLUMNS + threadIdx.x;
  if (threadIdx.y != 0 || column >= columns) return;
  float* target = shared + int64_t(blockIdx.y) * stride_shared + column;
  *target = accumulate != 0 ? *target + sum : sum;
}
EXPORT_KERNEL(attentive_stats_pool_sum_shared)

// 128 registers a thread: a multiprocessor has them for four blocks.
#define FORWARD(name, Arithmetic)                                                                                                   \
  KERNEL_BLOCKS(THREADS, 4) name(const AttentionProblem p, float* __restrict__ partial) { forward<gemm::Arithmetic>(p, partial); } \
  EXPORT_KERNEL(name)

FORWARD(attentive_stats_pool_forward_fp32, Fp32)
FORWARD(attentive_stats_pool_forward_tf32, Tf32)
FORWARD(attentive_stats_pool_forward_bf16, Bf16)

// The parts' moments in order, and what is made of them: y [N, 2C]; variances [N, C]; softmax [3, N, C], highest score, 1 / Σ, mean about the first frame.
// A thread a channel. Grid (channels / 128, utterances).
KERNEL_BOUNDS(THREADS)
attentive_stats_pool_merge(const float* __restrict__ partial, int parts, const float* __restrict__ x, int stride, int frames, int channels, float eps,
                           float* __restrict__ y, float* __restrict__ variances, float* __restrict__ softmax) {
  int channel = blockIdx.x * THREADS + threadIdx.x;
  if (channel >= channels) return;
  int64_t plane = int64_t(gridDim.y) * channels, at = int64_t(blockIdx.y) * channels + channel;
  WeightedMoments all;
  for (int part = 0; part < parts; part++) {
    const float* from = partial + 4 * part * plane + at;
    WeightedMoments one;
    one.highest = from[0];
    one.sum = from[plane];
    one.mean = from[2 * plane];
    one.deviation = from[3 * plane];
    all.add(one);
  }
  float variance = all.deviation / all.sum;
  y[2 * int64_t(blockIdx.y) * channels + channel] = x[int64_t(blockIdx.y) * frames * stride + channel] + all.mean;
  y[(2 * int64_t(blockIdx.y) + 1) * channels + channel] = sqrtf(variance < eps ? eps : variance);  // A comparison keeps a NaN.
  variances[at] = variance;
  softmax[at] = all.highest;
  softmax[plane + at] = 1.0f / all.sum;
  softmax[2 * plane + at] = all.mean;
}
EXPORT_KERNEL(attentive_stats_pool_merge)

#define BACKWARD(name, Arithmetic)                                                                                           \
  KERNEL_BLOCKS(THREADS, 4) name(const AttentionProblem p, const AttentionGradient g) { backward<gemm::Arithmetic>(p, g); } \
  EXPORT_KERNEL(name)

BACKWARD(attentive_stats_pool_backward_fp32, Fp32)
BACKWARD(attentive_stats_pool_backward_tf32, Tf32)
BACKWARD(attentive_stats_pool_backward_bf16, Bf16)
