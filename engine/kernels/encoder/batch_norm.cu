// Batch normalisation over rows, per channel, of a = activation(x): x above 0, slope · x elsewhere.
//
//   training    y = γ (a − μ) / √(σ² + ε) + β     μ, biased σ² over the rows; running statistics move by `momentum`
//   evaluation  the same with the running statistics
//   backward    dx = activation'(x) (scale·dy − offset − factor (a − μ)),  dγ += Σ dy·â,  dβ += Σ dy
//
// y may be added to another tensor by the way, whose gradient then is added to dy: the next group of a Res2 layer.
//
// Rows lie `stride` elements apart (channel views). Statistics: a block of 32 channels × 8 row lanes takes one chunk of rows (Welford); where
// the product that made x measured it, the chunks are its tiles of 64 or 128 rows. A second kernel merges them in f64: 16 lanes a channel, each a run of
// neighbouring chunks in order, then the lanes in order. Chunks and lanes follow from the shape and the kind of product, never from timing: the same bits
// always.
// Where gates follow, the product also leaves sums over time, of which batch_norm_time_means makes the means of y.
// Traffic in training, without the other tensor: x twice and y once forward, x once where the product that made it measured it; x, dy twice and dx once
// backward, x and dy once where the product that made dy summed it. The backward pass sums dx by the way, where the map that made x has a bias, whose
// gradient that is.
#include "common/prelude.cuh"
#include "common/product_epilogue.cuh"

namespace {

constexpr int CHANNELS = 32;  // Of a block: one warp reads 128 bytes of a row.
constexpr int LANES = 8;      // Rows read at a time.

__device__ __forceinline__ float activate(float x, float slope) { return x > 0.0f ? x : x * slope; }

// Mean and sum of squared deviations of `count` values.
struct Moments {
  float count, mean, deviation;
};

__device__ __forceinline__ Moments merge(Moments a, Moments b) {
  float count = a.count + b.count;
  if (b.count == 0.0f) return a;
  float delta = b.mean - a.mean, share = b.count / count;
  return {count, a.mean + delta * share, a.deviation + b.deviation + delta * delta * a.count * share};
}

}  // namespace

// partial [chunks, 3, channels]: pivot, mean less the pivot, squared deviations of each chunk. The pivot, the chunk's first row, keeps the
// digits of a mean that is large against the deviation. Grid (channels / 32, chunks), block (32, 8).
KERNEL_BOUNDS(CHANNELS* LANES)
batch_norm_partial(const float* __restrict__ x, int stride, int rows, int channels, int rows_each, float slope, float* __restrict__ partial) {
  __shared__ Moments lanes[LANES][CHANNELS];
  int channel = blockIdx.x * CHANNELS + threadIdx.x, start = blockIdx.y * rows_each, end = min(rows, start + rows_each);
  Moments own = {0.0f, 0.0f, 0.0f};
  float pivot = 0.0f;
  if (channel < channels) {
    pivot = activate(x[int64_t(start) * stride + channel], slope);
    for (int row = start + threadIdx.y; row < end; row += LANES) {
      float value = activate(x[int64_t(row) * stride + channel], slope) - pivot;
      own.count += 1.0f;
      float delta = value - own.mean;
      own.mean += delta / own.count;
      own.deviation += delta * (value - own.mean);
    }
  }
  lanes[threadIdx.y][threadIdx.x] = own;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    for (int lane = 1; lane < LANES; lane++) own = merge(own, lanes[lane][threadIdx.x]);
    float* result = partial + int64_t(blockIdx.y) * 3 * channels + channel;
    result[0] = pivot;
    result[channels] = own.mean;
    result[2 * channels] = own.deviation;
  }
}
EXPORT_KERNEL(batch_norm_partial)

namespace {

constexpr int MERGE_LANES = 16;  // Runs of chunks that are merged side by side.

struct ChannelSums {
  double count, mean, deviation;

  __device__ __forceinline__ void add(const ChannelSums& other) {
    if (other.count == 0.0) return;
    double delta = other.mean - mean, share = other.count / (count + other.count);
    deviation += other.deviation + delta * delta * count * share;
    mean += delta * share;
    count += other.count;
  }
};

// Mean and squared deviations of one channel of all chunks, merged in order: those of a run by one lane, then the runs. For the first lane only.
__device__ __forceinline__ ChannelSums merge_chunks(const float* __restrict__ partial, int channel, int chunks, int rows_each, int rows, int channels) {
  __shared__ ChannelSums lanes[MERGE_LANES][CHANNELS];
  ChannelSums own = {0.0, 0.0, 0.0};
  if (channel < channels) {
    int each = divide_up(chunks, MERGE_LANES), end = min(chunks, int(threadIdx.y + 1) * each);
#pragma unroll 1  // Unrolled, the f64 merges would need more registers than there are.
    for (int chunk = threadIdx.y * each; chunk < end; chunk++) {
      const float* one = partial + int64_t(chunk) * 3 * channels + channel;
      own.add({double(min(rows_each, rows - chunk * rows_each)), double(one[0]) + double(one[channels]), double(one[2 * channels])});
    }
  }
  lanes[threadIdx.y][threadIdx.x] = own;
  __syncthreads();
  if (threadIdx.y == 0) {
    for (int lane = 1; lane < MERGE_LANES; lane++) own.add(lanes[lane][threadIdx.x]);
  }
  return own;
}

}  // namespace

// statistics [2, channels]: mean and 1/√(variance + ε). partial: of batch_norm_partial, or the moments of a product's tiles, see
// common/column_moments.cuh. Grid (channels / 32), block (32, 16).
KERNEL_BOUNDS(CHANNELS* MERGE_LANES)
batch_norm_combine(const float* __restrict__ partial, int chunks, int rows_each, int rows, int channels, float momentum, float eps,
                   float* __restrict__ statistics, float* __restrict__ running_mean, float* __restrict__ running_variance) {
  int channel = blockIdx.x * CHANNELS + threadIdx.x;
  ChannelSums sums = merge_chunks(partial, channel, chunks, rows_each, rows, channels);
  if (threadIdx.y > 0 || channel >= channels) return;
  statistics[channel] = float(sums.mean);
  statistics[channels + channel] = float(1.0 / sqrt(sums.deviation / rows + double(eps)));
  running_mean[channel] = float((1.0 - momentum) * running_mean[channel] + momentum * sums.mean);
  running_variance[channel] = float((1.0 - momentum) * running_variance[channel] + momentum * (sums.deviation / (rows - 1)));
}
EXPORT_KERNEL(batch_norm_combine)

// All chunks of this process as one, for the others: merged [3, channels]. What the mean loses as f32 is kept beside it.
KERNEL_BOUNDS(CHANNELS* MERGE_LANES)
batch_norm_merge(const float* __restrict__ partial, int chunks, int rows_each, int rows, int channels, float* __restrict__ merged) {
  int channel = blockIdx.x * CHANNELS + threadIdx.x;
  ChannelSums sums = merge_chunks(partial, channel, chunks, rows_each, rows, channels);
  if (threadIdx.y > 0 || channel >= channels) return;
  merged[channel] = float(sums.mean);
  merged[channels + channel] = float(sums.mean - double(float(sums.mean)));
  merged[2 * channels + channel] = float(sums.deviation);
}
EXPORT_KERNEL(batch_norm_merge)

// The running statistics as the statistics of this batch.
KERNEL_BOUNDS(128)
batch_norm_recall(const float* __restrict__ running_mean, const float* __restrict__ running_variance, int channels, float eps,
                  float* __restrict__ statistics) {
  int channel = blockIdx.x * blockDim.x + threadIdx.x;
  if (channel >= channels) return;
  statistics[channel] = running_mean[channel];
  statistics[channels + channel] = float(1.0 / sqrt(double(running_variance[channel]) + double(eps)));
}
EXPORT_KERNEL(batch_norm_recall)

// inverse · γ of the running statistics, for the product that normalises its own results: see common/product_epilogue.cuh.
KERNEL_BOUNDS(128)
batch_norm_scale(const float* __restrict__ running_variance, const float* __restrict__ gamma, int channels, float eps, float* __restrict__ scale) {
  int channel = blockIdx.x * blockDim.x + threadIdx.x;
  if (channel >= channels) return;
  scale[channel] = norm_scale(running_variance[channel], eps, gamma == nullptr ? 1.0f : gamma[channel]);
}
EXPORT_KERNEL(batch_norm_scale)

// y = (a − μ) · inverse · γ + β, and add_to += y, which may be null. Grid (channels / 32, chunks), block (32, 8).
KERNEL_BOUNDS(CHANNELS* LANES)
batch_norm_apply(const float* __restrict__ x, int stride_x, float* __restrict__ y, int stride_y, int rows, int channels, int rows_each, float slope,
                 const float* __restrict__ statistics, const float* __restrict__ gamma, const float* __restrict__ beta, float* __restrict__ add_to,
                 int stride_add_to) {
  int channel = blockIdx.x * CHANNELS + threadIdx.x, end = min(rows, int(blockIdx.y + 1) * rows_each);
  if (channel >= channels) return;
  float mean = statistics[channel], scale = statistics[channels + channel] * (gamma == nullptr ? 1.0f : gamma[channel]);
  float offset = beta == nullptr ? 0.0f : beta[channel];
  for (int row = blockIdx.y * rows_each + threadIdx.y; row < end; row += LANES) {
    float normalised = (activate(x[int64_t(row) * stride_x + channel], slope) - mean) * scale + offset;
    y[int64_t(row) * stride_y + channel] = normalised;
    if (add_to != nullptr) add_to[int64_t(row) * stride_add_to + channel] += normalised;
  }
}
EXPORT_KERNEL(batch_norm_apply)

// means [utterances, channels] over time of y, from the parts of utterances that the product that made x left, see common/utterance_sums.cuh: with moments,
// whose pivots they are about, of a, to which the norm is applied here; without, of y. A thread adds the parts of a channel of an utterance in order, in
// f64. Grid (utterances · channels / 128), block 128.
KERNEL_BOUNDS(128)
batch_norm_time_means(const float* __restrict__ sums, const float* __restrict__ moments, int rows_each, int utterances, int frames, int channels,
                      const float* __restrict__ statistics, const float* __restrict__ gamma, const float* __restrict__ beta, float* __restrict__ means) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, channel = i % channels;
  if (i >= utterances * channels) return;
  int first = i / channels * frames, end = first + frames;
  double sum = 0.0, mean = moments == nullptr ? 0.0 : double(statistics[channel]);
  for (int tile = first / rows_each; tile < divide_up(end, rows_each); tile++) {
    int from = tile * rows_each;
    int side = from < first ? 1 : 0;  // Of the tile's border, where it has one.
    sum += sums[(int64_t(tile) * 2 + side) * channels + channel];
    if (moments != nullptr) sum += (min(end, from + rows_each) - max(first, from)) * (moments[int64_t(tile) * 3 * channels + channel] - mean);
  }
  sum /= frames;
  if (moments != nullptr) sum = sum * statistics[channels + channel] * (gamma == nullptr ? 1.0f : gamma[channel]) + (beta == nullptr ? 0.0f : beta[channel]);
  means[i] = float(sum);
}
EXPORT_KERNEL(batch_norm_time_means)

// partial [chunks, 2, channels]: Σ dy and Σ dy·(a − μ), after dy += more, which may be null. Grid (channels / 32, chunks), block (32, 8).
KERNEL_BOUNDS(CHANNELS* LANES)
batch_norm_gradient_partial(const float* __restrict__ x, int stride_x, float* __restrict__ dy, int stride_dy, const float* __restrict__ more,
                            int stride_more, int rows, int channels, int rows_each, float slope, const float* __restrict__ statistics,
                            float* __restrict__ partial) {
  __shared__ float lanes[2][LANES][CHANNELS];
  int channel = blockIdx.x * CHANNELS + threadIdx.x, end = min(rows, int(blockIdx.y + 1) * rows_each);
  float plain = 0.0f, centred = 0.0f;
  if (channel < channels) {
    float mean = statistics[channel];
    for (int row = blockIdx.y * rows_each + threadIdx.y; row < end; row += LANES) {
      float* of_result = dy + int64_t(row) * stride_dy + channel;
      float gradient = *of_result;
      if (more != nullptr) *of_result = gradient += more[int64_t(row) * stride_more + channel];
      plain += gradient;
      centred += gradient * (activate(x[int64_t(row) * stride_x + channel], slope) - mean);
    }
  }
  lanes[0][threadIdx.y][threadIdx.x] = plain;
  lanes[1][threadIdx.y][threadIdx.x] = centred;
  __syncthreads();
  if (threadIdx.y < 2 && channel < channels) {
    float sum = 0.0f;
    for (int lane = 0; lane < LANES; lane++) sum += lanes[threadIdx.y][lane][threadIdx.x];
    partial[(int64_t(blockIdx.y) * 2 + threadIdx.y) * channels + channel] = sum;
  }
}
EXPORT_KERNEL(batch_norm_gradient_partial)

// dγ, dβ, and factors [3, channels] of dx: scale, offset, factor. partial: of batch_norm_gradient_partial, or of the tiles of the product that made dy, see
// common/gradient_sums.cuh. Chunks are added as moments are merged: runs of neighbours by 16 lanes, then the lanes. Grid (channels / 32), block (32, 16).
KERNEL_BOUNDS(CHANNELS* MERGE_LANES)
batch_norm_gradient_combine(const float* __restrict__ partial, int chunks, int rows, int channels, int training,
                            const float* __restrict__ statistics, const float* __restrict__ gamma, float* __restrict__ gamma_gradient,
                            float* __restrict__ beta_gradient, float* __restrict__ factors) {
  __shared__ double lanes[2][MERGE_LANES][CHANNELS];
  int channel = blockIdx.x * CHANNELS + threadIdx.x;
  double plain = 0.0, centred = 0.0;
  if (channel < channels) {
    int each = divide_up(chunks, MERGE_LANES), end = min(chunks, int(threadIdx.y + 1) * each);
    for (int chunk = threadIdx.y * each; chunk < end; chunk++) {
      plain += partial[(int64_t(chunk) * 2) * channels + channel];
      centred += partial[(int64_t(chunk) * 2 + 1) * channels + channel];
    }
  }
  lanes[0][threadIdx.y][threadIdx.x] = plain;
  lanes[1][threadIdx.y][threadIdx.x] = centred;
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return;
  for (int lane = 1; lane < MERGE_LANES; lane++) {
    plain += lanes[0][lane][threadIdx.x];
    centred += lanes[1][lane][threadIdx.x];
  }
  double inverse = statistics[channels + channel], normalised = centred * inverse;
  double scale = gamma == nullptr ? inverse : inverse * gamma[channel];
  if (gamma_gradient != nullptr) gamma_gradient[channel] += float(normalised);
  if (beta_gradient != nullptr) beta_gradient[channel] += float(plain);
  factors[channel] = float(scale);
  factors[channels + channel] = training != 0 ? float(scale * plain / rows) : 0.0f;
  factors[2 * channels + channel] = training != 0 ? float(scale * inverse * normalised / rows) : 0.0f;
}
EXPORT_KERNEL(batch_norm_gradient_combine)

// sums [chunks, channels], Σ dx of each chunk for the bias of the map ahead, may be null. Grid (channels / 32, chunks), block (32, 8). dx may be dy's
// memory: each element is read before it is written.
KERNEL_BOUNDS(CHANNELS* LANES)
batch_norm_gradient_apply(const float* __restrict__ x, int stride_x, const float* dy, int stride_dy, float* dx, int stride_dx, int accumulate,
                          int rows, int channels, int rows_each, float slope, const float* __restrict__ statistics,
                          const float* __restrict__ factors, float* __restrict__ sums) {
  __shared__ float lanes[LANES][CHANNELS];
  int channel = blockIdx.x * CHANNELS + threadIdx.x, end = min(rows, int(blockIdx.y + 1) * rows_each);
  float sum = 0.0f;
  if (channel < channels) {
    float mean = statistics[channel], scale = factors[channel], offset = factors[channels + channel], factor = factors[2 * channels + channel];
    for (int row = blockIdx.y * rows_each + threadIdx.y; row < end; row += LANES) {
      float value = x[int64_t(row) * stride_x + channel];
      float gradient = scale * dy[int64_t(row) * stride_dy + channel] - offset - (activate(value, slope) - mean) * factor;
      if (!(value > 0.0f)) gradient *= slope;
      float* target = dx + int64_t(row) * stride_dx + channel;
      *target = accumulate != 0 ? *target + gradient : gradient;
      sum += gradient;
    }
  }
  if (sums == nullptr) return;
  lanes[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    for (int lane = 1; lane < LANES; lane++) sum += lanes[lane][threadIdx.x];
    sums[int64_t(blockIdx.y) * channels + channel] = sum;
  }
}
EXPORT_KERNEL(batch_norm_gradient_apply)
