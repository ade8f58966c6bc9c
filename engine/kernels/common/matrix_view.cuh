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

  // A row, and a column, by their indices.
  struct Row {
    int outer, index;
  };
  struct Column {
    int segment, index;
  };

  __device__ __forceinline__ Row row(int number) const {
    int outer = number / inner;
    return {outer, number - outer * inner};
  }

  __device__ __forceinline__ Column column(int number) const {
    int segment = number / segment_width;
    return {segment, number - segment * segment_width};
  }

  __device__ __forceinline__ void move_down(Row& row, int rows) const {
    row.index += rows;
    while (row.index >= inner) {
      row.index -= inner;
      row.outer++;
    }
  }

  __device__ __forceinline__ void move_right(Column& column, int columns) const {
    column.index += columns;
    while (column.index >= segment_width) {
      column.index -= segment_width;
      column.segment++;
    }
  }

  __device__ __forceinline__ bool has(const Column& column) const { return column.segment < segments; }

  // Where an element lies. Clears `inside` where zeros are to be read; the offset is valid even so.
  // Offsets are 32 bits wide, half the registers: no tensor has more than 2^31 - 1 elements.
  __device__ __forceinline__ unsigned offset(const Row& row, const Column& column, bool& inside) const {
    int position = row.index + column.segment * step + shift;
    if (reflects != 0) {
      position = position < 0 ? -position : position;
      position = position >= positions ? 2 * (positions - 1) - position : position;
    } else {
      inside = inside && static_cast<unsigned>(position) < static_cast<unsigned>(positions);
    }
    unsigned offset = unsigned(row.outer) * unsigned(outer_stride) + unsigned(position) * unsigned(row_stride) + unsigned(column.index);
    return inside ? offset : 0;
  }

  // Its address.
  __device__ __forceinline__ const float* locate(const Row& row, const Column& column, bool& inside) const {
    return data + offset(row, column, inside);
  }

  // Four neighbouring columns, from a multiple of four, lie in one segment and on a 16-byte boundary.
  __device__ __forceinline__ bool by_fours() const {
    return segment_width % 4 == 0 && row_stride % 4 == 0 && outer_stride % 4 == 0 && reinterpret_cast<uint64_t>(data) % 16 == 0;
  }
};
