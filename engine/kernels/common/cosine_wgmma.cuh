// The rows and gradient of common/cosine_softmax.cuh on Hopper's tensor cores, for unit rows that were rounded to bf16 before.
//
// Geometry: as in common/streamed_rows.cuh, own rows resident over their whole width, tiles of 64 others.
// A tile's cosines, 64 × 64 for a warpgroup, live in registers: 8 pairs of columns for each of a thread's two rows. For the gradient they become
// weights, which rounded to bf16 are the first operand of a second product as they lie; its second operand is the tile once more, read across. Of a tile
// only the pieces of that second product stay for it: they come last, and meanwhile the others make room for the next tile.
// Work: 2 · N · M · D operations forward, 4 · N · M · D for a gradient up to a width of 256, 6 up to 512. Traffic: 2 · N · M · D / 128 bytes from the
// second-level cache.
#pragma once
#include "common/cosine_softmax.cuh"
#include "common/streamed_rows.cuh"

#ifdef HAS_WGMMA
namespace cosine_softmax {

constexpr int OTHER_TILE = 64, STREAM_STAGES = 12;

// Columns of a tile that a thread has sums of, and the sums of both of its rows.
constexpr int OWN_COLUMNS = OTHER_TILE / 4, OWN_COSINES = 2 * OWN_COLUMNS;

using CosineRows = streamed::Rows<OTHER_TILE, STREAM_STAGES>;
using CosineBarriers = streamed::Barriers<STREAM_STAGES>;
using streamed::own_column;
using streamed::own_row;

// Own row `first` and the 127 after it against others from `from` to before `end`; pieces of the width, the first of them `begin`.
__device__ __forceinline__ streamed::Extent extent(int first, int from, int end, int width, int begin, int stages) {
  int pieces = divide_up(width, streamed::PIECE_WIDTH);
  return {first, from, divide_up(max(end - from, 0), OTHER_TILE), pieces, begin, pieces, stages};
}

// 2^(k·c − shift): a cosine of rounded rows has fewer digits than the exponent loses.
__device__ __forceinline__ float quick_power(float cosine, float scale, float shift) { return exp2f(fmaf(cosine, scale, -shift)); }

// Block (x, y): anchors 128x to 128x + 127 against part y of the candidates, `each` of them, as rows() of common/cosine_softmax.cuh.
template <int Stages>
__device__ __forceinline__ void rows_on_warpgroups(const TensorMap& anchors, const TensorMap& candidates, const CosineProblem& p, int each,
                                                   NegativeSums* sums, float* positive_cosines) {
  __shared__ CosineBarriers barriers;
  int first = blockIdx.x * streamed::OWN_TILE, from = blockIdx.y * each, end = min(p.candidate_rows, from + each);
  streamed::Extent all = extent(first, from, end, p.width, 0, Stages);
  CosineRows tiles(barriers, all);
  if (tiles.copies()) return tiles.bring(anchors, candidates);
  float scale = p.k();
  NegativeSums own[2];
  int anchor[2], positive[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    own[i] = {-1e9f, 0.0f, 0.0f, 0.0f, NOTHING};
    anchor[i] = first + own_row() + 8 * i;
    positive[i] = anchor[i] < p.rows ? p.positive(anchor[i]) : -1;
  }
  tiles.begin();
#pragma unroll 1
  for (int t = 0; t < all.tiles; t++) {
    float c[OWN_COSINES];
    tiles.multiply(c);
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

// Block (x, y, z): own rows 128x to 128x + 127, elements 64 · Pieces · y … of the width, and part z of the others, as gradient() of
// common/cosine_softmax.cuh. 384 threads.
template <int Pieces, int Stages>
__device__ __forceinline__ void gradient_on_warpgroups(const TensorMap& own, const TensorMap& other, const CosineProblem& p, int roles,
                                                       const AnchorFactors* factors, int each, float* result) {
  __shared__ CosineBarriers barriers;
  bool by_anchor = (roles & ANCHOR) != 0, by_candidate = (roles & CANDIDATE) != 0;
  int own_rows = by_anchor ? p.rows : p.key_rows, other_rows = by_anchor ? p.candidate_rows : p.rows;
  int first = blockIdx.x * streamed::OWN_TILE, first_piece = blockIdx.y * Pieces, from = blockIdx.z * each, end = min(other_rows, from + each);
  int pieces = divide_up(p.width, streamed::PIECE_WIDTH), summed = min(Pieces, pieces - first_piece), first_kept = pieces - summed;
  streamed::Extent all = extent(first, from, end, p.width, (first_piece + summed) % pieces, Stages);
  CosineRows tiles(barriers, all);
  if (tiles.copies()) {
    give_registers<40>();
    return tiles.bring(own, other);
  }
  take_registers<232>();
  float scale = p.k();
  int row[2];
  AnchorFactors own_factors[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    row[i] = first + own_row() + 8 * i;
    own_factors[i] = {0.0f, 0.0f, 0.0f};
    if (by_anchor && row[i] < own_rows) own_factors[i] = factors[row[i]];
  }
  constexpr int SUMS = streamed::PIECE_WIDTH / 2;  // Of a piece, in both rows.
  float sums[Pieces][SUMS];
#pragma unroll
  for (int i = 0; i < Pieces * SUMS; i++) sums[i / SUMS][i % SUMS] = 0.0f;
  tiles.begin();
#pragma unroll 1
  for (int t = 0; t < all.tiles; t++) {
    float c[OWN_COSINES];
    tiles.multiply(c, first_kept);
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
    tiles.add_weighted(c, first_kept, sums);
    tiles.release(first_kept);
  }
  result += int64_t(blockIdx.z) * own_rows * p.width;
#pragma unroll
  for (int i = 0; i < Pieces * SUMS; i++) {
    int element = first_piece * streamed::PIECE_WIDTH + i / 4 * 8 + own_column() + i % 2, at = row[i % 4 / 2];
    if (at < own_rows && element < p.width) result[int64_t(at) * p.width + element] = sums[i / SUMS][i % SUMS];
  }
}

}  // namespace cosine_softmax
#endif
