// A matrix as a product reads it from memory: rows of one or more segments at regular steps. A plain matrix has one segment a row;
// the windows of a dilated convolution over [N, T, C] have one segment a tap, so that no unfolded copy is needed.
//
// Row r has outer index o = r / inner and inner index i = r % inner. Column s · segment_width + c reads
// data[o · outer_stride + (i + s · step + shift) · row_stride + c]; a position outside [0, positions) reads zeros or its mirror image.
//
// Field by field the MatrixView of the host.
#pragma once
#include "common/prelude.cuh"

struct MatrixView {
  const float* data;
  int rows, inner;
  int64_t outer_stride, row_stride;
  int segments, segment_width, step, shift, positions;
  int reflects;  // 0: zeros outside.
  bool transposed;

  __device__ __forceinline__ int columns() const { return segments * segment_width; }

  // Address of column c of segment s in the row of these indices. Clears `inside` where zeros are to be read; the address is valid even so.
  // Offsets are 32 bits wide, half the registers: no tensor has more than 2^31 - 1 elements.
  __device__ __forceinline__ const float* locate(int o, int i, int s, int c, bool& inside) const {
    int position = i + s * step + shift;
    if (reflects != 0) {
      position = position < 0 ? -position : position;
      position = position >= positions ? 2 * (positions - 1) - position : position;
    } else {
      inside = inside && static_cast<unsigned>(position) < static_cast<unsigned>(positions);
    }
    unsigned offset = unsigned(o) * unsigned(outer_stride) + unsigned(position) * unsigned(row_stride) + unsigned(c);
    return data + (inside ? offset : 0);
  }

  // Four neighbouring columns, from a multiple of four, lie in one segment and on a 16-byte boundary.
  __device__ __forceinline__ bool by_fours() const {
    return segment_width % 4 == 0 && row_stride % 4 == 0 && outer_stride % 4 == 0 && reinterpret_cast<uint64_t>(data) % 16 == 0;
  }
};
