// Rows that the processes gathered, [rank, view, row], as one process has them, [view, rank, row]; and back, the rows of one process.
//
//   forward    y[view, rank, row] = gathered[rank, view, row]
//   backward   dx[view, row] (+)= ranks · dy[view, own rank, row]
//
// All are contiguous. Tiles of common/element_tiles.cuh; 8 bytes an element, 12 where gradients add up.
#include "common/element_tiles.cuh"

KERNEL_BOUNDS(element_tiles::THREADS)
gather_views_place(const float* __restrict__ gathered, float* __restrict__ y, int ranks, int views, int each, int columns) {
  element_tiles::for_each(ranks * views * each, columns, [&](int64_t row, int column) {
    int64_t view = row / (ranks * each), rank = row / each % ranks;
    y[row * columns + column] = gathered[((rank * views + view) * each + row % each) * columns + column];
  });
}
EXPORT_KERNEL(gather_views_place)

KERNEL_BOUNDS(element_tiles::THREADS)
gather_views_take(const float* __restrict__ dy, float* __restrict__ dx, int rank, int ranks, int views, int each, int columns, int accumulate) {
  element_tiles::for_each(views * each, columns, [&](int64_t row, int column) {
    float value = ranks * dy[((row / each * ranks + rank) * each + row % each) * columns + column];
    float* target = dx + row * columns + column;
    *target = accumulate != 0 ? *target + value : value;
  });
}
EXPORT_KERNEL(gather_views_take)
