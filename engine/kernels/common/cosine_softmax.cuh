// Softmax cross-entropy over scaled cosines of unit rows, without ever storing the matrix of cosines.
//
// An anchor's candidates are rows of one matrix; exactly one is its positive, masks decide which of the others are negatives. Blocks of
// 32 rows meet tiles of 16 columns; a tile's cosines are made from pieces of 128 of the width in shared memory and live in registers.
//   rows      per anchor: cosine of the positive, Σ 2^(k·c − shift) over the negatives, their highest cosine, sum and number
//   solve     loss log(1 + negatives / positive), the derivatives by the positive's logit and by a power, in f64
//   gradient  Σ_j w(r, j) y_j with w made again from the cosine: r as the anchor of j, as a candidate of j, or (one set) both
// k = log2(e) / τ. The integer part of an exponent leaves the argument before the exponential is taken, so large logits lose no digits.
#pragma once
#include "common/margin.cuh"

// k: log2(e) · max(w, 1e-6) where w is learned.
__device__ __forceinline__ float cosine_scale(const float* learned, float scale) {
  return learned == nullptr ? scale : 1.4426950408889634f * (*learned < 1e-6f ? 1e-6f : *learned);
}

struct CosineProblem {
  const float* anchors;     // Unit rows [rows, width].
  const float* candidates;  // Unit rows [candidate_rows, width]: keys, then constant ones.
  const int* positives;     // Index of each anchor's positive, or null: see positive().
  const int* anchor_labels;  // Null for no mask; below 0 is unknown.
  const int* candidate_labels;
  const float* learned_scale;  // w, or null: see k().
  int rows, key_rows, candidate_rows, width;
  int symmetric;           // One set of two halves: an anchor is no negative of its own, its positive lies in the other half.
  int positive_offset;     // From an anchor to its positive, around the end, where neither positives nor halves say it.
  int item_count;          // Above 0: a key with the anchor's index modulo this is no negative.
  int keys_are_negatives;  // 0: of the keys only the positive is a candidate.
  float scale;             // k where it is not learned.

  __device__ __forceinline__ int positive(int anchor) const {
    if (positives != nullptr) return positives[anchor];
    int index = anchor + (symmetric == 0 ? positive_offset : rows / 2);
    return index < key_rows ? index : index - key_rows;
  }

  __device__ __forceinline__ float k() const { return cosine_scale(learned_scale, scale); }

  // Whether a candidate that is not the positive is a negative.
  __device__ __forceinline__ bool is_negative(int anchor, int candidate) const {
    if (symmetric != 0 && candidate == anchor) return false;
    if (keys_are_negatives == 0 && candidate < key_rows) return false;
    if (item_count > 0 && candidate < key_rows && candidate % item_count == anchor % item_count) return false;
    return anchor_labels == nullptr || anchor_labels[anchor] < 0 || anchor_labels[anchor] != candidate_labels[candidate];
  }
};

// What one part of the candidates shows of an anchor's negatives.
struct NegativeSums {
  float shift, powers;  // Σ 2^(k·c − shift)
  float cosines, count, highest;
};

namespace cosine_softmax {

constexpr int ROWS = 32, COLUMNS = 16, THREADS = 256, PIECE = 128;
constexpr int STRIDE = PIECE + 4;  // Keeps 16-byte reads of neighbouring rows in different banks.
constexpr float NOTHING = -1000.0f;  // A cosine that no row has.

struct Tiles {
  float own[ROWS][STRIDE];
  float other[COLUMNS][STRIDE];
};

__device__ __forceinline__ float power(float cosine, float scale, float shift) {
  float whole = rintf(cosine * scale);
  return ldexpf(exp2f(fmaf(cosine, scale, -whole)), int(fmaxf(whole - shift, -200.0f)));
}

__device__ __forceinline__ void load_piece(float (*tile)[STRIDE], int tile_rows, const float* x, int first, int rows, int width, int start) {
  for (int i = threadIdx.x; i < tile_rows * PIECE; i += THREADS) {
    int row = first + i / PIECE, at = start + i % PIECE;
    tile[i / PIECE][i % PIECE] = row < rows && at < width ? x[int64_t(row) * width + at] : 0.0f;
  }
}

// The two cosines of this thread: row threadIdx / 8 of the block with columns threadIdx % 8 and that + 8 of the tile.
__device__ __forceinline__ void cosines(Tiles& tiles, const float* own, int own_first, int own_rows, const float* other, int other_first,
                                        int other_rows, int width, float (&result)[2]) {
  int row = threadIdx.x / 8, column = threadIdx.x % 8;
  result[0] = result[1] = 0.0f;
  for (int start = 0; start < width; start += PIECE) {
    __syncthreads();  // The last piece has been read.
    load_piece(tiles.own, ROWS, own, own_first, own_rows, width, start);
    load_piece(tiles.other, COLUMNS, other, other_first, other_rows, width, start);
    __syncthreads();
    int count = min(PIECE, divide_up(width - start, 4) * 4);
    for (int i = 0; i < count; i += 4) {
      float4 a = *reinterpret_cast<const float4*>(&tiles.own[row][i]);
#pragma unroll
      for (int j = 0; j < 2; j++) {
        float4 b = *reinterpret_cast<const float4*>(&tiles.other[column + 8 * j][i]);
        result[j] = fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, result[j]))));
      }
    }
  }
}

__device__ __forceinline__ NegativeSums merge(const NegativeSums& a, const NegativeSums& b) {
  float shift = fmaxf(a.shift, b.shift);
  NegativeSums result;
  result.shift = shift;
  result.powers = ldexpf(a.powers, int(fmaxf(a.shift - shift, -200.0f))) + ldexpf(b.powers, int(fmaxf(b.shift - shift, -200.0f)));
  result.cosines = a.cosines + b.cosines;
  result.count = a.count + b.count;
  result.highest = fmaxf(a.highest, b.highest);
  return result;
}

// Those of the lane whose number differs in one bit.
__device__ __forceinline__ NegativeSums from_lane(const NegativeSums& own, int bit) {
  NegativeSums other;
  other.shift = __shfl_xor_sync(FULL_WARP, own.shift, bit);
  other.powers = __shfl_xor_sync(FULL_WARP, own.powers, bit);
  other.cosines = __shfl_xor_sync(FULL_WARP, own.cosines, bit);
  other.count = __shfl_xor_sync(FULL_WARP, own.count, bit);
  other.highest = __shfl_xor_sync(FULL_WARP, own.highest, bit);
  return other;
}

// Block (x, y): anchors 32x to 32x + 31 against part y of the candidates, `each` of them. sums [parts, rows].
__device__ __forceinline__ void rows(const CosineProblem& p, int each, NegativeSums* sums, float* positive_cosines) {
  __shared__ Tiles tiles;
  int first = blockIdx.x * ROWS, anchor = first + threadIdx.x / 8;
  int end = min(p.candidate_rows, int(blockIdx.y + 1) * each);
  int positive = anchor < p.rows ? p.positive(anchor) : -1;
  float scale = p.k();
  NegativeSums own = {-1e9f, 0.0f, 0.0f, 0.0f, NOTHING};
  for (int column = blockIdx.y * each; column < end; column += COLUMNS) {
    float c[2];
    cosines(tiles, p.anchors, first, p.rows, p.candidates, column, end, p.width, c);
#pragma unroll
    for (int j = 0; j < 2; j++) {
      int candidate = column + threadIdx.x % 8 + 8 * j;
      if (anchor >= p.rows || candidate >= end) continue;
      if (candidate == positive) {
        positive_cosines[anchor] = c[j];
      } else if (p.is_negative(anchor, candidate)) {
        float shift = fmaxf(own.shift, ceilf(c[j] * scale));
        own.powers = ldexpf(own.powers, int(fmaxf(own.shift - shift, -200.0f))) + power(c[j], scale, shift);
        own.shift = shift;
        own.cosines += c[j];
        own.count += 1.0f;
        // A comparison this way round keeps a NaN.
        own.highest = c[j] <= own.highest ? own.highest : c[j];
      }
    }
  }
  for (int offset = 4; offset > 0; offset /= 2) own = merge(own, from_lane(own, offset));
  if (anchor < p.rows && threadIdx.x % 8 == 0) sums[int64_t(blockIdx.y) * p.rows + anchor] = own;
}

// The derivative of the mean loss by the cosine of an anchor with a candidate.
struct AnchorFactors {
  float shift, power_factor, positive_gradient;
};

template <float Power(float cosine, float scale, float shift) = power>
__device__ __forceinline__ float derivative(const CosineProblem& p, const AnchorFactors& factors, int anchor, int candidate, float cosine,
                                            float scale) {
  if (candidate == p.positive(anchor)) return factors.positive_gradient;
  return p.is_negative(anchor, candidate) ? factors.power_factor * Power(cosine, scale, factors.shift) : 0.0f;
}

enum Role { ANCHOR = 1, CANDIDATE = 2 };

// result [own_rows, width] = Σ_j w(r, j) other_j. Roles says what the own rows are; with CANDIDATE the others are anchors.
// Block (x, y, z): own rows 32x to 32x + 31, elements 32·WIDTH_STEPS·y … of the width, and part z of the others, `each` of them: several parts
// have their own results behind each other. A thread sums 4 rows × WIDTH_STEPS elements.
template <int WIDTH_STEPS>
__device__ __forceinline__ void gradient(const CosineProblem& p, int roles, const AnchorFactors* factors, int each, float* result) {
  __shared__ Tiles tiles;
  __shared__ float weights[ROWS][COLUMNS + 1];
  bool by_anchor = (roles & ANCHOR) != 0;
  float scale = p.k();
  const float* own = by_anchor ? p.anchors : p.candidates;
  const float* other = by_anchor ? p.candidates : p.anchors;
  int own_rows = by_anchor ? p.rows : p.key_rows, other_rows = by_anchor ? p.candidate_rows : p.rows;
  int first = blockIdx.x * ROWS, row = first + threadIdx.x / 8;
  int lane = threadIdx.x % WARP, row_group = threadIdx.x / WARP * 4, element = blockIdx.y * WARP * WIDTH_STEPS + lane;
  float sums[4][WIDTH_STEPS];
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int e = 0; e < WIDTH_STEPS; e++) sums[i][e] = 0.0f;

  int end = min(other_rows, int(blockIdx.z + 1) * each);
  result += int64_t(blockIdx.z) * own_rows * p.width;
  for (int column = blockIdx.z * each; column < end; column += COLUMNS) {
    float c[2];
    cosines(tiles, own, first, own_rows, other, column, other_rows, p.width, c);
#pragma unroll
    for (int j = 0; j < 2; j++) {
      int at = column + threadIdx.x % 8 + 8 * j;
      float weight = 0.0f;
      if (row < own_rows && at < other_rows) {
        if (by_anchor) weight = derivative(p, factors[row], row, at, c[j], scale);
        if ((roles & CANDIDATE) != 0) weight += derivative(p, factors[at], at, row, c[j], scale);
      }
      weights[threadIdx.x / 8][threadIdx.x % 8 + 8 * j] = weight;
    }
    __syncthreads();
    int count = min(COLUMNS, other_rows - column);
    for (int j = 0; j < count; j++) {
      float w[4];
#pragma unroll
      for (int i = 0; i < 4; i++) w[i] = weights[row_group + i][j];
      const float* y = other + int64_t(column + j) * p.width;
#pragma unroll
      for (int e = 0; e < WIDTH_STEPS; e++) {
        float value = element + e * WARP < p.width ? y[element + e * WARP] : 0.0f;
#pragma unroll
        for (int i = 0; i < 4; i++) sums[i][e] = fmaf(w[i], value, sums[i][e]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (first + row_group + i >= own_rows) continue;
#pragma unroll
    for (int e = 0; e < WIDTH_STEPS; e++) {
      if (element + e * WARP < p.width) result[int64_t(first + row_group + i) * p.width + element + e * WARP] = sums[i][e];
    }
  }
}

}  // namespace cosine_softmax
