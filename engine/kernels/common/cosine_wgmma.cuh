// The rows and gradient of common/cosine_softmax.cuh on Hopper's tensor cores, for unit rows that were rounded to bf16 before.
//
// Geometry: 256 threads, two warpgroups of 64 own rows each, which stay in shared memory over their whole width; tiles of 64 other rows stream past.
// A tile's cosines, 64 × 64 for a warpgroup, live in registers: 8 pairs of columns for each of a thread's two rows. For the gradient they become
// weights, which rounded to bf16 are the first operand of a second product as they lie; its second operand is the tile once more, read across.
// Work: 2 · N · M · D operations forward, 4 · N · M · D for a gradient up to a width of 256, 6 up to 512. Traffic: 2 · N · M · D / 128 bytes from the
// second-level cache.
#pragma once
#include "common/cosine_softmax.cuh"
#include "common/gemm_wgmma.cuh"

#ifdef HAS_WGMMA
namespace cosine_softmax {

constexpr int OWN_TILE = 128, OTHER_TILE = 64, PIECE_WIDTH = 64;
constexpr int OWN_PIECE = OWN_TILE * SWIZZLE_LINE, OTHER_PIECE = OTHER_TILE * SWIZZLE_LINE, GROUP = 8 * SWIZZLE_LINE;

// Columns of a tile that a thread has sums of, and the sums of both of its rows.
constexpr int OWN_COLUMNS = OTHER_TILE / 4, OWN_COSINES = 2 * OWN_COLUMNS;

// Rows of a rounded copy, which are padded to a multiple of 8.
__device__ __forceinline__ MatrixView rounded_rows(const uint16_t* copy, int rows, int width) {
  int padded = divide_up(width, 8) * 8;
  return {reinterpret_cast<const float*>(copy), rows, rows, 0, padded, 1, padded, 0, 0, rows, 0, false};
}

// 2^(k·c − shift): a cosine of rounded rows has fewer digits than the exponent loses.
__device__ __forceinline__ float quick_power(float cosine, float scale, float shift) { return exp2f(fmaf(cosine, scale, -shift)); }

// Own rows, and one tile after another of the others, Stages of which have room.
template <int Stages>
class CosineTiles {
 public:
  __device__ __forceinline__ CosineTiles(const MatrixView& own, const MatrixView& other, int first, int from, int end)
      : own_(own), other_(other), from_(from), tiles_(divide_up(max(end - from, 0), OTHER_TILE)), pieces_(divide_up(own.segment_width, PIECE_WIDTH)) {
    DYNAMIC_SHARED(unsigned char, memory);
    own_rows_ = gemm::swizzled_tiles(memory);
    gemm::SwizzledLoader<true, OWN_TILE, THREADS> load(own_, first, 0);
    for (int p = 0; p < pieces_; p++) load.copy(own_rows_ + p * OWN_PIECE);
    bring(0);
  }

  __device__ __forceinline__ int count() const { return tiles_; }

  // Cosines of tile t; of the thread's row i (0, 1) with column e (0, 1) of pair q they are in [4 q + 2 i + e].
  __device__ __forceinline__ void cosines(int t, float (&sums)[OWN_COSINES]) {
    if (Stages > 1) bring(t + 1);  // In place of tile t - 1, which all have released.
    copy_async_wait<Stages - 1>();
    fence_for_tensor_cores();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < OWN_COSINES; i++) sums[i] = 0.0f;
    unsigned own = shared_address(own_rows_) + warpgroup() * 64 * SWIZZLE_LINE, other = shared_address(tile(t));
    wgmma_hold(sums);
    wgmma_fence();
#pragma unroll 1
    for (int p = 0; p < pieces_; p++) {
#pragma unroll
      for (int step = 0; step < PIECE_WIDTH / 16; step++) {
        wgmma_bf16<false, false>(sums, operand_descriptor(own + p * OWN_PIECE + 32 * step, OTHER_PIECE, GROUP),
                                 operand_descriptor(other + p * OTHER_PIECE + 32 * step, OTHER_PIECE, GROUP));
      }
    }
    wgmma_commit();
    wgmma_finish(sums);
  }

  // sums += weights, which are in the places of the tile's cosines, times the tile's rows, from a multiple of 64 of the width on.
  template <int Count>
  __device__ __forceinline__ void add_weighted(int t, const float (&weights)[OWN_COSINES], int from, float (&sums)[Count]) {
    uint32_t held[OTHER_TILE / 16][4];
#pragma unroll
    for (int k = 0; k < OTHER_TILE / 16; k++) {
#pragma unroll
      for (int i = 0; i < 4; i++) held[k][i] = pack_bf16(weights[8 * k + 2 * i], weights[8 * k + 2 * i + 1]);
    }
    unsigned other = shared_address(tile(t)) + from / PIECE_WIDTH * OTHER_PIECE;
    wgmma_hold(sums);
#pragma unroll
    for (int k = 0; k < OTHER_TILE / 16; k++) wgmma_hold(held[k]);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < OTHER_TILE / 16; k++) {
      wgmma_bf16_held<true>(sums, held[k], operand_descriptor(other + 16 * SWIZZLE_LINE * k, OTHER_PIECE, GROUP));
    }
    wgmma_commit();
    wgmma_finish(sums);
  }

  // All threads are done with tile t.
  __device__ __forceinline__ void release(int t) {
    __syncthreads();
    if (Stages == 1) bring(t + 1);
  }

 private:
  __device__ __forceinline__ static int warpgroup() { return __shfl_sync(FULL_WARP, int(threadIdx.x) / gemm::WARPGROUP, 0); }

  __device__ __forceinline__ unsigned char* tile(int t) const { return own_rows_ + (OWN_PIECE + t % Stages * OTHER_PIECE) * pieces_; }

  // Empty groups too, so that the count of groups stays the count of tiles.
  __device__ __forceinline__ void bring(int t) {
    if (t < tiles_) {
      gemm::SwizzledLoader<true, OTHER_TILE, THREADS> load(other_, from_ + t * OTHER_TILE, 0);
      for (int p = 0; p < pieces_; p++) load.copy(tile(t) + p * OTHER_PIECE);
    }
    copy_async_commit();
  }

  const MatrixView& own_;
  const MatrixView& other_;
  int from_, tiles_, pieces_;
  unsigned char* own_rows_;
};

// The first of the two own rows of a thread, which are 8 apart, and its first column of a tile.
__device__ __forceinline__ int own_row() { return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4; }
__device__ __forceinline__ int own_column() { return threadIdx.x % 4 * 2; }

// Block (x, y): anchors 128x to 128x + 127 against part y of the candidates, `each` of them, as rows() of common/cosine_softmax.cuh.
template <int Stages>
__device__ __forceinline__ void rows_on_warpgroups(const CosineProblem& p, int each, NegativeSums* sums, float* positive_cosines) {
  MatrixView anchors = rounded_rows(p.rounded_anchors, p.rows, p.width), candidates = rounded_rows(p.rounded_candidates, p.candidate_rows, p.width);
  int first = blockIdx.x * OWN_TILE, from = blockIdx.y * each, end = min(p.candidate_rows, from + each);
  CosineTiles<Stages> tiles(anchors, candidates, first, from, end);
  float scale = p.k();
  NegativeSums own[2];
  int anchor[2], positive[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    own[i] = {-1e9f, 0.0f, 0.0f, 0.0f, NOTHING};
    anchor[i] = first + own_row() + 8 * i;
    positive[i] = anchor[i] < p.rows ? p.positive(anchor[i]) : -1;
  }
#pragma unroll 1
  for (int t = 0; t < tiles.count(); t++) {
    float c[OWN_COSINES];
    tiles.cosines(t, c);
    tiles.release(t);
    int column = from + t * OTHER_TILE + own_column();
#pragma unroll
    for (int i = 0; i < 2; i++) {
      unsigned negatives = 0;
#pragma unroll
      for (int n = 0; n < OWN_COLUMNS; n++) {
        float cosine = c[n / 2 * 4 + 2 * i + n % 2];
        int candidate = column + n / 2 * 8 + n % 2;
        if (anchor[i] >= p.rows || candidate >= end) continue;
        if (candidate == positive[i]) {
          positive_cosines[anchor[i]] = cosine;
        } else if (p.is_negative(anchor[i], candidate)) {
          negatives |= 1u << n;
          own[i].cosines += cosine;
          own[i].count += 1.0f;
          own[i].highest = cosine <= own[i].highest ? own[i].highest : cosine;  // A comparison this way round keeps a NaN.
        }
      }
      float shift = fmaxf(own[i].shift, ceilf(own[i].highest * scale));
      own[i].powers = ldexpf(own[i].powers, int(fmaxf(own[i].shift - shift, -200.0f)));
      own[i].shift = shift;
#pragma unroll
      for (int n = 0; n < OWN_COLUMNS; n++) {
        if ((negatives >> n & 1) != 0) own[i].powers += quick_power(c[n / 2 * 4 + 2 * i + n % 2], scale, shift);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
    for (int offset = 2; offset > 0; offset /= 2) own[i] = merge(own[i], from_lane(own[i], offset));
    if (anchor[i] < p.rows && threadIdx.x % 4 == 0) sums[int64_t(blockIdx.y) * p.rows + anchor[i]] = own[i];
  }
}

// Block (x, y, z): own rows 128x to 128x + 127, elements 2 · Count · y … of the width, and part z of the others, as gradient() of
// common/cosine_softmax.cuh.
template <int Count, int Stages>
__device__ __forceinline__ void gradient_on_warpgroups(const CosineProblem& p, int roles, const AnchorFactors* factors, int each, float* result) {
  bool by_anchor = (roles & ANCHOR) != 0, by_candidate = (roles & CANDIDATE) != 0;
  int own_rows = by_anchor ? p.rows : p.key_rows, other_rows = by_anchor ? p.candidate_rows : p.rows;
  MatrixView own = rounded_rows(by_anchor ? p.rounded_anchors : p.rounded_candidates, own_rows, p.width);
  MatrixView other = rounded_rows(by_anchor ? p.rounded_candidates : p.rounded_anchors, other_rows, p.width);
  int first = blockIdx.x * OWN_TILE, first_element = blockIdx.y * 2 * Count, from = blockIdx.z * each, end = min(other_rows, from + each);
  CosineTiles<Stages> tiles(own, other, first, from, end);
  float scale = p.k();
  int row[2];
  AnchorFactors own_factors[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    row[i] = first + own_row() + 8 * i;
    own_factors[i] = {0.0f, 0.0f, 0.0f};
    if (by_anchor && row[i] < own_rows) own_factors[i] = factors[row[i]];
  }
  float sums[Count];
#pragma unroll
  for (int i = 0; i < Count; i++) sums[i] = 0.0f;
#pragma unroll 1
  for (int t = 0; t < tiles.count(); t++) {
    float c[OWN_COSINES];
    tiles.cosines(t, c);
    int column = from + t * OTHER_TILE + own_column();
#pragma unroll
    for (int n = 0; n < OWN_COLUMNS; n++) {
      int at = column + n / 2 * 8 + n % 2;
      AnchorFactors other_factors = {0.0f, 0.0f, 0.0f};
      if (by_candidate && at < end) other_factors = factors[at];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float& cosine = c[n / 2 * 4 + 2 * i + n % 2];
        float weight = 0.0f;
        if (row[i] < own_rows && at < end) {
          if (by_anchor) weight = derivative<quick_power>(p, own_factors[i], row[i], at, cosine, scale);
          if (by_candidate) weight += derivative<quick_power>(p, other_factors, at, row[i], cosine, scale);
        }
        cosine = weight;
      }
    }
    tiles.add_weighted(t, c, first_element, sums);
    tiles.release(t);
  }
  result += int64_t(blockIdx.z) * own_rows * p.width;
#pragma unroll
  for (int i = 0; i < Count; i++) {
    int element = first_element + i / 4 * 8 + own_column() + i % 2, at = row[i % 4 / 2];
    if (at < own_rows && element < p.width) result[int64_t(at) * p.width + element] = sums[i];
  }
}

}  // namespace cosine_softmax
#endif
