// The groups of a Res2 layer in inference in one kernel: all but one are convolved over time, each with the result of the group before it,
//
//   y_i = (relu(W_i ∗ u_i + b_i) − mean_i) · scale_i + shift_i,   u_0 = x_0,   u_i = x_i + y_(i−1)
//
// and one, the first or the last, is passed on as it is. x, y [N, T, C], whose rows may be strided (channel views); W_i [w, taps, w].
//
// A block computes 128 frames of an utterance through all stages. It keeps u_i in shared memory as products read it, in bf16 or as f32 that are rounded to
// tf32 there, with the frames that taps reach on either side: a tap is the same rows, some rows further. Sums stay in registers (64 a thread) until no
// thread reads u_i any more; then y_i goes to memory, and u_(i+1) to where u_i was. Beyond an utterance's ends u is zeros or its mirror image, at every stage
// anew. Where it borders on another tile, a stage is right for `pad` frames fewer than the one before, pad = dilation · (taps − 1) / 2. So tiles overlap:
// of 128 frames reach = pad · (stages − 1) are not stored there, on either side. With 7 stages of 3 taps and a dilation of 2, 3, 4 a tile stores 104, 92, 80
// frames between two others, and 116, 110, 104 at an end: two tiles for 200 frames. Of 64 frames, 16 would be left with a dilation of 4; 256 would save
// 10 to 23 % of the work in long utterances, and nothing for 200 frames, but leave a multiprocessor one block, which multiplies or loads.
// When it is taken at all: Res2Chain.Suits on the host.
//
// prepare: weights in the order in which blocks read them, in bf16 or f32: tiles of 16 of k by all columns, taps from multiples of 16 on, zeros beyond the
// width; bias, mean, scale and shift of every stage. Grid (pairs of numbers / 256, stages), block 256.
// run: grid N · tiles, block 64 threads for every 32 of the width, of which two warps sum 128 × 32. Tiles of weights pass through a ring without a break
// between stages.
//
// Products, order of sums and epilogue are those of mat_mul.cu over the same windows, bit by bit where the width is a multiple of 16.
// Work: 2 · stages · taps · w² operations a frame, for 128 · tiles / T times as many frames as there are. Traffic: 8 · C bytes a frame; through the
// second-level cache besides what tiles read twice, and weights, 2 or 4 · stages · taps · w² bytes a block.
#include "common/gemm_math.cuh"
#include "common/product_epilogue.cuh"

namespace res2_chain {

constexpr int ROWS = 128;        // Frames that a block computes.
constexpr int THREADS = 256;     // Of `prepare`.
constexpr int STEP = 16;         // Of k, a tile of weights.
constexpr int MOST_STAGES = 15;

// Operands of products in shared memory, stored two neighbours at a time, and how many tiles of weights there are, on their way or in use: as many as leave
// room for the activations in the 99 KiB that every device has.
template <bool Rounded>
struct Operand {
  using Element = float;
  static constexpr int RING = 2;

  __device__ __forceinline__ static void store(float* to, float x, float y) { *reinterpret_cast<float2*>(to) = make_float2(x, y); }
};

template <>
struct Operand<true> {
  using Element = uint16_t;
  static constexpr int RING = 4;

  __device__ __forceinline__ static void store(uint16_t* to, float x, float y) { *reinterpret_cast<uint32_t*>(to) = pack_bf16(x, y); }
};

// Parameters. Field by field those of the host.
struct Stage {
  const float *weight, *bias, *mean, *variance, *gamma, *beta;
};
struct Stages {
  Stage of[MOST_STAGES];
};

// Field by field that of the host.
struct Chain {
  int x_stride, y_stride, frames, width, taps, dilation, stages;
  int first;      // Group of the first stage; the one passed on is the first or the last.
  int reflects;   // 0: zeros beyond the ends.
  int tiles;      // Of an utterance.

  __device__ __forceinline__ int pad() const { return dilation * (taps - 1) / 2; }
  __device__ __forceinline__ int group(int stage) const { return (first + stage) * width; }

  // The frame whose number is read in place of one up to `pad` beyond the ends; -1 for zeros.
  __device__ __forceinline__ int source(int frame) const {
    if (unsigned(frame) < unsigned(frames)) return frame;
    if (reflects == 0) return -1;
    return frame < 0 ? -frame : 2 * (frames - 1) - frame;
  }
};

// The frames of a block's tile.
struct Span {
  int from, until;   // Those it stores.
  int first, rows;   // Those it computes.

  __device__ __forceinline__ Span(const Chain& chain, int tile) {
    int reach = chain.pad() * (chain.stages - 1), at_end = ROWS - reach, between = ROWS - 2 * reach;
    from = tile == 0 ? 0 : at_end + (tile - 1) * between;
    until = tile == chain.tiles - 1 ? chain.frames : at_end + tile * between;
    first = max(0, from - reach);
    rows = min(chain.frames, until + reach) - first;
  }

  __device__ __forceinline__ bool stores(int row) const { return first + row >= from && first + row < until; }
};

// A group of the channels of one utterance.
template <typename Number>
struct Group {
  Number* data;
  int stride, width;
  bool by_fours;

  __device__ __forceinline__ Group(Number* from, int row_stride, int columns)
      : data(from), stride(row_stride), width(columns), by_fours(reinterpret_cast<uint64_t>(from) % 16 == 0 && row_stride % 4 == 0 && columns % 4 == 0) {}

  // Four columns from a multiple of four on; zeros beyond the width and of a frame below 0.
  __device__ __forceinline__ float4 four(int frame, int column) const {
    const float* at = data + frame * stride + column;
    if (frame < 0 || column >= width) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (by_fours) return *reinterpret_cast<const float4*>(at);
    int rest = width - column;
    return make_float4(at[0], rest > 1 ? at[1] : 0.0f, rest > 2 ? at[2] : 0.0f, rest > 3 ? at[3] : 0.0f);
  }

  __device__ __forceinline__ void store(int frame, int column, float4 four) const {
    Number* at = data + frame * stride + column;
    if (by_fours) {
      *reinterpret_cast<float4*>(at) = four;
      return;
    }
    int rest = width - column;
    at[0] = four.x;
    if (rest > 1) at[1] = four.y;
    if (rest > 2) at[2] = four.z;
    if (rest > 3) at[3] = four.w;
  }
};

template <bool Rounded>
__device__ __forceinline__ void prepare(
    const Stages& stages, int width, int taps, float eps, typename Operand<Rounded>::Element* __restrict__ weights, float* __restrict__ norms) {
  const Stage& stage = stages.of[blockIdx.y];
  int columns = divide_up(width, 32) * 32, chunks = divide_up(width, STEP), pairs = taps * chunks * columns * (STEP / 2);
  int index = blockIdx.x * THREADS + threadIdx.x;
  if (index < width) {
    float* norm = norms + blockIdx.y * 4 * columns + index;
    norm[0] = stage.bias[index];
    norm[columns] = stage.mean[index];
    norm[2 * columns] = norm_scale(stage.variance[index], eps, stage.gamma[index]);
    norm[3 * columns] = stage.beta[index];
  }
  if (index >= pairs) return;
  int column = index / (STEP / 2) % columns, step = index / (STEP / 2 * columns), tap = step / chunks;
  int channel = step % chunks * STEP + index % (STEP / 2) * 2;
  float two[2];
#pragma unroll
  for (int e = 0; e < 2; e++) {
    bool inside = column < width && channel + e < width;
    two[e] = inside ? stage.weight[(column * taps + tap) * width + channel + e] : 0.0f;
  }
  Operand<Rounded>::store(weights + 2 * (int64_t(blockIdx.y) * pairs + index), two[0], two[1]);
}

// Tiles of weights in shared memory: all but one slot of the ring are on their way or there while the products of one are taken.
template <typename Math>
class WeightRing {
  using Element = typename Operand<Math::ROUNDED>::Element;
  static constexpr int SLOTS = Operand<Math::ROUNDED>::RING, STRIDE = Math::STRIDE_B;  // A power of two.
  static constexpr int EACH = 16 / sizeof(Element), OF_ROW = STEP / EACH;              // Numbers of a copy, copies of a row.

 public:
  __device__ __forceinline__ WeightRing(Element* shared, const Element* weights, int tiles) : shared_(shared), weights_(weights), tiles_(tiles), taken_(0) {
#pragma unroll
    for (int tile = 0; tile < SLOTS - 1; tile++) bring(tile);
  }

  // The next tile, once it is there; the one before it is free from here on. For all threads together.
  __device__ __forceinline__ const Element* take() {
    copy_async_wait<SLOTS - 2>();
    __syncthreads();
    bring(taken_ + SLOTS - 1);
    return slot(taken_++);
  }

 private:
  __device__ __forceinline__ static int columns() { return int(blockDim.x) / 2; }

  __device__ __forceinline__ Element* slot(int tile) const { return shared_ + tile % SLOTS * (columns() * STRIDE); }

  __device__ __forceinline__ void bring(int tile) const {
    if (tile < tiles_) {
      Element* to = slot(tile);
      const Element* from = weights_ + tile * (columns() * STEP);
#pragma unroll
      for (int p = 0; p < OF_ROW / 2; p++) {
        int copy = threadIdx.x + p * blockDim.x;
        copy_async_16(to + copy / OF_ROW * STRIDE + copy % OF_ROW * EACH, from + copy * EACH, true);
      }
    }
    copy_async_commit();  // Empty groups too, so that the count of groups stays the count of tiles.
  }

  Element* shared_;
  const Element* weights_;
  int tiles_, taken_;
};

// The end of a stage: y from the sums, and u for the next stage where there is one. `y` and `next` point to the first computed frame of the stage's group
// and of the next stage's, `u` to that frame where products read it; `next` is null after the last stage.
template <typename Math, int UStride>
class StageEnd {
  using Held = Operand<Math::ROUNDED>;
  using Element = typename Held::Element;

 public:
  __device__ __forceinline__ StageEnd(const Chain& chain, const Span& span, const ProductEpilogue& epilogue, const float* next, float* y, Element* u)
      : chain_(chain), span_(span), epilogue_(epilogue), next_(next), y_(y), u_(u) {}

  // Uses the sums up. For all threads together.
  __device__ __forceinline__ void finish(Math& math) const {
    if constexpr (Math::ROUNDED) {
      for_columns(math, [this, &math](int row, int column) { finish(math, row, column); });
    } else {
      // u is f32, so y can go through it: the sums are gone when memory is read and written, with 16 bytes a thread.
      for_columns(math, [this, &math](int row, int column) { keep(math, row, column); });
      __syncthreads();
      pass_on();
    }
  }

 private:
  // Two columns a turn, those of the first fragment: unrolled, addresses would push sums out of the registers.
  template <typename Visit>
  __device__ __forceinline__ void for_columns(Math& math, Visit visit) const {
    int row = Math::row_of(0), column = Math::column_of(0);
#pragma unroll 1
    for (int turn = 0; turn < Math::TILES_N; turn++) {
      if (column < chain_.width) visit(row, column);
#pragma unroll
      for (int i = 0; i < Math::TILES_M; i++) {
#pragma unroll
        for (int j = 1; j < Math::TILES_N; j++) {
#pragma unroll
          for (int e = 0; e < 4; e++) math.sums[i][j - 1][e] = math.sums[i][j][e];
        }
      }
      column += 8;
    }
  }

  __device__ __forceinline__ float2 result(const Math& math, int i, int column) const {
    float second = has(column + 1) ? epilogue_.finished(epilogue_.biased(math.sum(i, 1), column + 1), column + 1) : 0.0f;
    return make_float2(epilogue_.finished(epilogue_.biased(math.sum(i, 0), column), column), second);
  }

  // From registers to memory, and with the next group to u.
  __device__ __forceinline__ void finish(const Math& math, int row, int column) const {
    const float* from = next_ + row * chain_.x_stride + column;
    float* to = y_ + row * chain_.y_stride + column;
    float2 addends[Math::OWN_ROWS] = {};
    if (next_ != nullptr) {
      bool both = has(column + 1), by_twos = both && reinterpret_cast<uint64_t>(next_) % 8 == 0 && chain_.x_stride % 2 == 0;
#pragma unroll
      for (int i = 0; i < Math::OWN_ROWS; i++) {
        const float* at = from + i * (Math::ROWS_APART * chain_.x_stride);
        if (row + i * Math::ROWS_APART >= span_.rows) continue;
        addends[i] = by_twos ? *reinterpret_cast<const float2*>(at) : make_float2(at[0], both ? at[1] : 0.0f);
      }
    }
    bool by_twos = has(column + 1) && reinterpret_cast<uint64_t>(y_) % 8 == 0 && chain_.y_stride % 2 == 0;
#pragma unroll
    for (int i = 0; i < Math::OWN_ROWS; i++) {
      int at = row + i * Math::ROWS_APART;
      float2 y = result(math, i, column);
      float* stored = to + i * (Math::ROWS_APART * chain_.y_stride);
      if (span_.stores(at)) {
        if (by_twos) {
          *reinterpret_cast<float2*>(stored) = y;
        } else {
          stored[0] = y.x;
          if (has(column + 1)) stored[1] = y.y;
        }
      }
      if (next_ != nullptr && at < span_.rows) Held::store(u_ + at * UStride + column, addends[i].x + y.x, addends[i].y + y.y);
    }
  }

  __device__ __forceinline__ void keep(const Math& math, int row, int column) const {
#pragma unroll
    for (int i = 0; i < Math::OWN_ROWS; i++) {
      int at = row + i * Math::ROWS_APART;
      float2 y = result(math, i, column);
      if (at < span_.rows) Held::store(u_ + at * UStride + column, y.x, y.y);
    }
  }

  __device__ __forceinline__ void pass_on() const {
    Group<const float> next(next_, chain_.x_stride, chain_.width);
    Group<float> to(y_, chain_.y_stride, chain_.width);
    int fours = divide_up(chain_.width, 4);
    for (int i = threadIdx.x; i < span_.rows * fours; i += blockDim.x) {
      int row = i / fours, column = i % fours * 4;
      float4* at = reinterpret_cast<float4*>(u_ + row * UStride + column);
      float4 y = *at;
      if (span_.stores(row)) to.store(row, column, y);
      if (next_ == nullptr) continue;
      float4 x = next.four(row, column);
      *at = make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
    }
  }

  __device__ __forceinline__ bool has(int column) const { return column < chain_.width; }

  const Chain& chain_;
  const Span& span_;
  const ProductEpilogue& epilogue_;
  const float* next_;
  float* y_;
  Element* u_;
};

// Renews the mirror images beyond an utterance's ends; u: the first computed frame. For all threads together.
template <int UStride, typename Element>
__device__ __forceinline__ void reflect(const Chain& chain, const Span& span, Element* u) {
  __syncthreads();  // u is there.
  int pad = chain.pad(), last = span.rows - 1;
  bool at_start = span.first == 0, at_end = span.first + span.rows == chain.frames;
  for (int i = threadIdx.x; i < pad * chain.width; i += blockDim.x) {
    int beyond = i / chain.width + 1, column = i % chain.width;
    if (at_start) u[-beyond * UStride + column] = u[beyond * UStride + column];
    if (at_end) u[(last + beyond) * UStride + column] = u[(last - beyond) * UStride + column];
  }
}

template <template <bool, bool, int> class Arithmetic, int Widest>
__device__ __forceinline__ void run(
    const Chain& chain, const float* __restrict__ x, float* __restrict__ y,
    const typename Operand<Arithmetic<true, true, ROWS>::ROUNDED>::Element* __restrict__ weights, const float* __restrict__ norms) {
  using Math = Arithmetic<true, true, ROWS>;
  using Held = Operand<Math::ROUNDED>;
  using Element = typename Held::Element;
  DYNAMIC_SHARED(Element, shared);
  int columns = int(blockDim.x) / 2, chunks = divide_up(chain.width, STEP), pad = chain.pad();
  constexpr int STRIDE = Widest + 16 / sizeof(Element);  // The gap spreads the reads over the banks.
  Element* u = shared + Held::RING * columns * Math::STRIDE_B;
  WeightRing<Math> ring(shared, weights, chain.stages * chain.taps * chunks);
  Span span(chain, blockIdx.x % chain.tiles);
  int64_t row = int64_t(blockIdx.x / chain.tiles) * chain.frames;
  x += row * chain.x_stride;
  y += row * chain.y_stride;

  int fours = chunks * (STEP / 4);
  Group<const float> first(x + chain.group(0), chain.x_stride, chain.width);
  for (int i = threadIdx.x; i < (span.rows + 2 * pad) * fours; i += blockDim.x) {
    int at = i / fours, column = i % fours * 4;
    float4 four = first.four(chain.source(span.first + at - pad), column);
    Held::store(u + at * STRIDE + column, four.x, four.y);
    Held::store(u + at * STRIDE + column + 2, four.z, four.w);
  }

  int untouched = chain.group(chain.first > 0 ? -1 : chain.stages);
  Group<const float> from(x + untouched, chain.x_stride, chain.width);
  Group<float> to(y + untouched, chain.y_stride, chain.width);
  fours = divide_up(chain.width, 4);
  for (int i = threadIdx.x; i < (span.until - span.from) * fours; i += blockDim.x) {
    int frame = span.from + i / fours, column = i % fours * 4;
    to.store(frame, column, from.four(frame, column));
  }

  Math math;
#pragma unroll 1
  for (int stage = 0; stage < chain.stages; stage++) {
    math.clear();
#pragma unroll 1
    for (int tap = 0; tap < chain.taps; tap++) {
      const Element* rows = u + tap * chain.dilation * STRIDE;
#pragma unroll 1
      for (int chunk = 0; chunk < chunks; chunk++) {
        const Element* tile = ring.take();  // Waits for what was stored to u, too.
        math.multiply(rows + chunk * STEP, tile, STRIDE);
      }
    }
    __syncthreads();  // All have read u.
    bool last = stage == chain.stages - 1;
    const float* norm = norms + stage * 4 * columns;
    ProductEpilogue epilogue = {};
    epilogue.bias = norm;
    epilogue.mean = norm + columns;
    epilogue.scale = norm + 2 * columns;
    epilogue.shift = norm + 3 * columns;
    const float* next = last ? nullptr : x + int64_t(span.first) * chain.x_stride + chain.group(stage + 1);
    float* own = y + int64_t(span.first) * chain.y_stride + chain.group(stage);
    StageEnd<Math, STRIDE>(chain, span, epilogue, next, own, u + pad * STRIDE).finish(math);
    if (chain.reflects != 0 && !last) reflect<STRIDE>(chain, span, u + pad * STRIDE);
  }
}

}  // namespace res2_chain

// For groups of up to `widest` channels; as many blocks as a multiprocessor has registers for.
#define RES2_CHAIN_RUN(kind, Arithmetic, Element, widest)                                                                                        \
  KERNEL_BLOCKS(2 * widest, 256 / widest)                                                                                                         \
  res2_chain_run_##kind##_##widest(const res2_chain::Chain chain, const float* __restrict__ x, float* __restrict__ y,                            \
                                   const Element* __restrict__ weights, const float* __restrict__ norms) {                                       \
    res2_chain::run<gemm::Arithmetic, widest>(chain, x, y, weights, norms);                                                                      \
  }                                                                                                                                              \
  EXPORT_KERNEL(res2_chain_run_##kind##_##widest)

#define RES2_CHAIN(kind, Arithmetic, Element)                                                                                                    \
  KERNEL_BOUNDS(res2_chain::THREADS)                                                                                                             \
  res2_chain_prepare_##kind(const res2_chain::Stages stages, int width, int taps, float eps, Element* __restrict__ weights,                      \
                            float* __restrict__ norms) {                                                                                         \
    res2_chain::prepare<gemm::Arithmetic<true, true, res2_chain::ROWS>::ROUNDED>(stages, width, taps, eps, weights, norms);                      \
  }                                                                                                                                              \
  EXPORT_KERNEL(res2_chain_prepare_##kind)                                                                                                       \
  RES2_CHAIN_RUN(kind, Arithmetic, Element, 64)                                                                                                  \
  RES2_CHAIN_RUN(kind, Arithmetic, Element, 128)

RES2_CHAIN(tf32, Tf32, float)
RES2_CHAIN(bf16, Bf16, uint16_t)
