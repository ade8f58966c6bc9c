// The windows of a convolution over maps [N, H, W, C] as a matrix that a product reads from memory, without an unfolded copy.
//
// Row (n, i, j) is the window that begins at row i · stride_height + top and column j · stride_width + left of map n; column (p, q, c) is
// channel c under tap (p, q). Outside the map it reads zeros.
//
// Field by field the MapView of the host.
#pragma once
#include "common/prelude.cuh"

struct MapView {
  const float* data;
  int rows, rows_of_map, windows_of_row;  // All windows; those of a map are rows_of_map rows of windows_of_row.
  int height, width, channels, stride;    // Of the maps; stride is the elements from a column to the next.
  int taps_height, taps_width, top, left, stride_height, stride_width;

  struct Row {
    int map, i, j;
  };
  struct Column {
    int p, q, index;
  };

  __device__ __forceinline__ Row row(int number) const {
    int i = number / windows_of_row, map = i / rows_of_map;
    return {map, i - map * rows_of_map, number - i * windows_of_row};
  }

  __device__ __forceinline__ Column column(int number) const {
    int tap = number / channels, p = tap / taps_width;
    return {p, tap - p * taps_width, number - tap * channels};
  }

  __device__ __forceinline__ void move_down(Row& row, int rows) const {
    row.j += rows;
    while (row.j >= windows_of_row) {
      row.j -= windows_of_row;
      row.i++;
      if (row.i == rows_of_map) {
        row.i = 0;
        row.map++;
      }
    }
  }

  __device__ __forceinline__ void move_right(Column& column, int columns) const {
    column.index += columns;
    while (column.index >= channels) {
      column.index -= channels;
      column.q++;
      if (column.q == taps_width) {
        column.q = 0;
        column.p++;
      }
    }
  }

  __device__ __forceinline__ bool has(const Column& column) const { return column.p < taps_height; }

  // Where an element lies. Clears `inside` where zeros are to be read; the offset is valid even so. 32 bits wide, as for a matrix.
  __device__ __forceinline__ unsigned offset(const Row& row, const Column& column, bool& inside) const {
    int h = row.i * stride_height + top + column.p, w = row.j * stride_width + left + column.q;
    inside = inside && static_cast<unsigned>(h) < static_cast<unsigned>(height) && static_cast<unsigned>(w) < static_cast<unsigned>(width);
    unsigned offset = (unsigned(row.map * height + h) * unsigned(width) + unsigned(w)) * unsigned(stride) + unsigned(column.index);
    return inside ? offset : 0;
  }

  // Its address.
  __device__ __forceinline__ const float* locate(const Row& row, const Column& column, bool& inside) const {
    return data + offset(row, column, inside);
  }

  // Four neighbouring columns, from a multiple of four, lie under one tap and on a 16-byte boundary.
  __device__ __forceinline__ bool by_fours() const { return channels % 4 == 0 && stride % 4 == 0 && reinterpret_cast<uint64_t>(data) % 16 == 0; }
};
