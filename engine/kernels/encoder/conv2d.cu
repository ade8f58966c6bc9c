// Convolution over maps [N, H, W, C] and its gradients as matrix products over windows: see common/map_view.cuh for the windows and
// common/gemm.cuh for the product, its work and traffic. Tiles of 64 × 64 by 128 threads: there are few output channels.
//
//   forward            y[n, i, j] = Σ x[n, i · sH + p − padH, j · sW + q − padW] w_pq + bias, by conv2d_correlate
//   gradient by x      the elements of a remainder to the strides meet the same taps: a conv2d_correlate of dy for every remainder, with the
//                      weights turned round by conv2d_turn_weights
//   gradient by w      Σ over windows of dyᵀ · window, by conv2d_weight_gradient; splits of the sum are added by mat_mul_add_splits
//
// On compute capability 9.0, where HAS_SM90A is set, the same for maps and weights that were rounded to bf16 before, in tiles of 128 windows and 64 or 128
// output channels: see common/gemm_wgmma.cuh, and common/map_patches.cuh for those whose tiles the copy engine brings.
#include "common/map_patches.cuh"

// Where the results of a correlation go: row (n, i, j) lies n · map + i · row + j · column elements on. Field by field that of the host.
struct MapTarget {
  float* data;
  int64_t map, row, column;
};

namespace {

constexpr int TILE = 64;

// The windows of a tile in their order.
class WindowRun {
 public:
  __device__ __forceinline__ WindowRun(const MapView& windows, int first) : windows_(windows), first_(first) {}

  // Whether there is one of that number in the tile, and where.
  __device__ __forceinline__ bool find(int index, MapView::Row& at) const {
    if (first_ + index >= windows_.rows) return false;
    at = windows_.row(first_ + index);
    return true;
  }

 private:
  const MapView& windows_;
  int first_;
};

// Results of one tile, whose rows are those windows.
template <typename Windows>
class MapSink {
 public:
  __device__ __forceinline__ MapSink(const MapTarget& target, const Windows& windows, int outputs, const ProductEpilogue& epilogue, bool accumulate,
                                     int first_column)
      : target_(target), windows_(windows), epilogue_(epilogue), outputs_(outputs), column_(first_column), accumulate_(accumulate) {}

  __device__ __forceinline__ void one(int row, int column, float value) const {
    column += column_;
    MapView::Row at;
    if (column >= outputs_ || !windows_.find(row, at)) return;
    float* to = target_.data + at.map * target_.map + at.i * target_.row + at.j * target_.column + column;
    value = epilogue_.biased(value, column);
    *to = epilogue_.finished(accumulate_ ? *to + value : value, column);
  }

  __device__ __forceinline__ void two(int row, int column, float x, float y) const {
    one(row, column, x);
    one(row, column + 1, y);
  }

 private:
  const MapTarget& target_;
  Windows windows_;
  const ProductEpilogue& epilogue_;
  int outputs_, column_;
  bool accumulate_;
};

// k: taps · channels of the windows, 0 where no tap meets the results.
template <template <bool, bool, int> class Arithmetic>
__device__ __forceinline__ void correlate(const MapView& windows, const MatrixView& weights, const MapTarget& target, int outputs, int k,
                                          const ProductEpilogue& epilogue, int accumulate) {
  int tiles_of_row = divide_up(outputs, TILE);
  int first_row = blockIdx.x / tiles_of_row * TILE, first_column = blockIdx.x % tiles_of_row * TILE;
  Arithmetic<true, true, TILE> math;
  gemm::sum_tile(math, windows, weights, first_row, first_column, 0, k);
  math.for_each(MapSink(target, WindowRun(windows, first_row), outputs, epilogue, accumulate != 0, first_column));
  if (epilogue.moments != nullptr) gemm::measure<TILE>(math, epilogue, windows.rows, outputs, first_row, first_column);
}

// c [outputs, k of a window] or, with several splits, the parts [splits, outputs, k].
template <template <bool, bool, int> class Arithmetic>
__device__ __forceinline__ void weight_gradient(const MatrixView& dy, const MapView& windows, float* c, int c_stride, int m, int n, int accumulate,
                                                int rows_each) {
  int tiles_of_row = divide_up(n, TILE);
  int first_row = blockIdx.x / tiles_of_row * TILE, first_column = blockIdx.x % tiles_of_row * TILE;
  int from = blockIdx.y * rows_each;
  Arithmetic<false, false, TILE> math;
  gemm::sum_tile(math, dy, windows, first_row, first_column, from, min(windows.rows - from, rows_each));
  math.for_each(gemm::Sink(c + int64_t(blockIdx.y) * m * c_stride, c_stride, m, n, ProductEpilogue(), accumulate != 0, first_row, first_column));
}

}  // namespace

// Grid (tiles of [windows, outputs]), block 128; dynamic shared memory as for a product with tiles of 64.
#define CORRELATE(name, Arithmetic)                                                                                                      \
  KERNEL_BLOCKS(2 * TILE, 256 / TILE)                                                                                                    \
  name(const MapView windows, const MatrixView weights, const MapTarget target, int outputs, int k, const ProductEpilogue epilogue,      \
       int accumulate) {                                                                                                                 \
    correlate<gemm::Arithmetic>(windows, weights, target, outputs, k, epilogue, accumulate);                                             \
  }

CORRELATE(conv2d_correlate_fp32, Fp32)
EXPORT_KERNEL(conv2d_correlate_fp32)
CORRELATE(conv2d_correlate_tf32, Tf32)
EXPORT_KERNEL(conv2d_correlate_tf32)
CORRELATE(conv2d_correlate_bf16, Bf16)
EXPORT_KERNEL(conv2d_correlate_bf16)

// Grid (tiles of [outputs, k of a window], splits of the windows), block 128.
#define WEIGHT_GRADIENT(name, Arithmetic)                                                                                                \
  KERNEL_BLOCKS(2 * TILE, 256 / TILE)                                                                                                    \
  name(const MatrixView dy, const MapView windows, float* __restrict__ c, int c_stride, int m, int n, int accumulate, int rows_each) {   \
    weight_gradient<gemm::Arithmetic>(dy, windows, c, c_stride, m, n, accumulate, rows_each);                                            \
  }

WEIGHT_GRADIENT(conv2d_weight_gradient_fp32, Fp32)
EXPORT_KERNEL(conv2d_weight_gradient_fp32)
WEIGHT_GRADIENT(conv2d_weight_gradient_tf32, Tf32)
EXPORT_KERNEL(conv2d_weight_gradient_tf32)
WEIGHT_GRADIENT(conv2d_weight_gradient_bf16, Bf16)
EXPORT_KERNEL(conv2d_weight_gradient_bf16)

// turned [inputs, taps_height, taps_width, outputs]: tap (p, q) is tap (first_height + p · step_height, first_width + q · step_width) of
// weight [outputs, taps of the kernel, inputs]. One thread an element; grid (elements / 256), block 256.
KERNEL_BOUNDS(256)
conv2d_turn_weights(const float* __restrict__ weight, float* __restrict__ turned, int inputs, int outputs, int taps_height, int taps_width,
                    int first_height, int first_width, int step_height, int step_width, int kernel_width, int kernel) {
  int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= inputs * taps_height * taps_width * outputs) return;
  int output = index % outputs, tap = index / outputs % (taps_height * taps_width), input = index / outputs / (taps_height * taps_width);
  int p = first_height + tap / taps_width * step_height, q = first_width + tap % taps_width * step_width;
  turned[index] = weight[(int64_t(output) * kernel + p * kernel_width + q) * inputs + input];
}
EXPORT_KERNEL(conv2d_turn_weights)

#ifdef HAS_WGMMA
namespace {

// Results of a tile whose rows are columns of c.
class TransposedSink {
 public:
  __device__ __forceinline__ TransposedSink(float* c, int64_t stride, int m, int n, bool accumulate, int first_row, int first_column)
      : c_(c), stride_(stride), m_(m), n_(n), row_(first_row), column_(first_column), accumulate_(accumulate) {}

  __device__ __forceinline__ void two(int row, int column, float x, float y) const {
    one(row + row_, column + column_, x);
    one(row + row_, column + column_ + 1, y);
  }

 private:
  __device__ __forceinline__ void one(int row, int column, float value) const {
    if (row >= n_ || column >= m_) return;
    float* to = c_ + column * stride_ + row;
    *to = accumulate_ ? *to + value : value;
  }

  float* c_;
  int64_t stride_;
  int m_, n_, row_, column_;
  bool accumulate_;
};

constexpr int WGMMA_STAGES = 3;

template <int Columns>
__device__ __forceinline__ void correlate_on_warpgroups(const MapView& windows, const MatrixView& weights, const MapTarget& target, int outputs, int k,
                                                        const ProductEpilogue& epilogue, int accumulate) {
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* tiles = gemm::swizzled_tiles(memory);
  gemm::Warpgroups<true, true, Columns> math;
  int tiles_of_row = divide_up(outputs, Columns);
  int first_row = blockIdx.x / tiles_of_row * math.ROWS, first_column = blockIdx.x % tiles_of_row * Columns;
  gemm::sum_on_warpgroups<WGMMA_STAGES>(math, windows, weights, first_row, first_column, 0, k, tiles);
  math.for_each(MapSink(target, WindowRun(windows, first_row), outputs, epilogue, accumulate != 0, first_column), reinterpret_cast<float*>(tiles));
  math.measure(reinterpret_cast<const float*>(tiles), epilogue, windows.rows, outputs, first_row, first_column);
}

// The transpose of the gradient: the elements of a window, which are many, are the rows of the product.
template <int Columns>
__device__ __forceinline__ void weight_gradient_on_warpgroups(const MatrixView& dy, const MapView& windows, float* c, int c_stride, int m, int n,
                                                              int accumulate, int rows_each) {
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* tiles = gemm::swizzled_tiles(memory);
  gemm::Warpgroups<false, false, Columns> math;
  int tiles_of_row = divide_up(m, Columns);
  int first_row = blockIdx.x / tiles_of_row * math.ROWS, first_column = blockIdx.x % tiles_of_row * Columns;
  int from = blockIdx.y * rows_each;
  gemm::sum_on_warpgroups<WGMMA_STAGES>(math, windows, dy, first_row, first_column, from, min(windows.rows - from, rows_each), tiles);
  TransposedSink sink(c + int64_t(blockIdx.y) * m * c_stride, c_stride, m, n, accumulate != 0, first_row, first_column);
  math.for_each(sink, reinterpret_cast<float*>(tiles));
}

// The windows of a patch.
class WindowPatch {
 public:
  template <int Windows>
  __device__ __forceinline__ static WindowPatch of(const MapView& windows, const MapPatches& patches, int number) {
    return WindowPatch(windows, patches, patches.first<Windows>(number));
  }

  __device__ __forceinline__ bool find(int index, MapView::Row& at) const {
    at = patches_.window(first_, index);
    return at.j < windows_.windows_of_row && at.i < windows_.rows_of_map && at.map < maps_;
  }

 private:
  __device__ __forceinline__ WindowPatch(const MapView& windows, const MapPatches& patches, const MapView::Row& first)
      : windows_(windows), patches_(patches), first_(first), maps_(windows.rows / (windows.rows_of_map * windows.windows_of_row)) {}

  const MapView& windows_;
  const MapPatches& patches_;
  MapView::Row first_;
  int maps_;
};

// As correlate_on_warpgroups, of patches of 128 windows. Moments are wanted only where no window of a patch is missing.
template <int Columns>
__device__ __forceinline__ void correlate_bulk_copied(const TensorMap& map, const MapView& windows, const MapPatches& patches,
                                                      const TensorMap& map_of_weights, const MatrixView& weights, const MapTarget& target, int outputs,
                                                      int k, const ProductEpilogue& epilogue, int accumulate) {
  using Math = gemm::Warpgroups<true, true, Columns>;
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* tiles = gemm::swizzled_tiles(memory);
  int tiles_of_row = divide_up(outputs, Columns);
  int patch = blockIdx.x / tiles_of_row, first_row = patch * Math::ROWS, first_column = blockIdx.x % tiles_of_row * Columns;
  gemm::sum_bulk_copied<WGMMA_STAGES, true, true, Columns>(gemm::PatchLoader<true, Math::ROWS>(map, windows, patches, first_row, 0),
                                                           gemm::BulkLoader<true, Columns>(map_of_weights, weights, Columns, first_column, 0),
                                                           divide_up(k, Math::BK), tiles);
  const float* sums = reinterpret_cast<const float*>(tiles);
  Math::hand_over(MapSink(target, WindowPatch::of<Math::ROWS>(windows, patches, patch), outputs, epilogue, accumulate != 0, first_column), sums);
  Math::measure(sums, epilogue, windows.rows, outputs, first_row, first_column);
}

// As weight_gradient_on_warpgroups; dy as the windows of one tap, in the same patches, of which a block sums patches_each.
template <int Columns>
__device__ __forceinline__ void weight_gradient_bulk_copied(const TensorMap& map_of_dy, const MapView& dy, const TensorMap& map, const MapView& windows,
                                                            const MapPatches& patches, float* c, int c_stride, int m, int n, int accumulate,
                                                            int patches_each) {
  using Math = gemm::Warpgroups<false, false, Columns>;
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* tiles = gemm::swizzled_tiles(memory);
  int tiles_of_row = divide_up(m, Columns);
  int first_row = blockIdx.x / tiles_of_row * Math::ROWS, first_column = blockIdx.x % tiles_of_row * Columns;
  int from = blockIdx.y * patches_each;
  gemm::sum_bulk_copied<WGMMA_STAGES, false, false, Columns>(
      gemm::PatchLoader<false, Math::ROWS>(map, windows, patches, first_row, from * Math::BK),
      gemm::PatchLoader<false, Columns>(map_of_dy, dy, patches, first_column, from * Math::BK), min(patches.count - from, patches_each), tiles);
  TransposedSink sink(c + int64_t(blockIdx.y) * m * c_stride, c_stride, m, n, accumulate != 0, first_row, first_column);
  Math::hand_over(sink, reinterpret_cast<const float*>(tiles));
}

}  // namespace

// Grids as of the kernels above, with tiles of 128 windows, or elements of a window, by `columns` outputs; block 256.
#define ON_WARPGROUPS(columns, blocks)                                                                                                   \
  KERNEL_BLOCKS(2 * gemm::WARPGROUP, blocks)                                                                                             \
  conv2d_correlate_wgmma_##columns(const MapView windows, const MatrixView weights, const MapTarget target, int outputs, int k,          \
                                   const ProductEpilogue epilogue, int accumulate) {                                                     \
    correlate_on_warpgroups<columns>(windows, weights, target, outputs, k, epilogue, accumulate);                                        \
  }                                                                                                                                      \
  EXPORT_KERNEL(conv2d_correlate_wgmma_##columns)                                                                                        \
  KERNEL_BLOCKS(2 * gemm::WARPGROUP, blocks)                                                                                             \
  conv2d_weight_gradient_wgmma_##columns(const MatrixView dy, const MapView windows, float* __restrict__ c, int c_stride, int m, int n,  \
                                         int accumulate, int rows_each) {                                                                \
    weight_gradient_on_warpgroups<columns>(dy, windows, c, c_stride, m, n, accumulate, rows_each);                                       \
  }                                                                                                                                      \
  EXPORT_KERNEL(conv2d_weight_gradient_wgmma_##columns)

ON_WARPGROUPS(64, 3)
ON_WARPGROUPS(128, 2)

// The same by 288 threads: grid (patches · tiles of outputs), and (tiles of the gradient, splits of the patches).
#define BULK_COPIED(columns, blocks)                                                                                                     \
  KERNEL_BLOCKS(2 * gemm::WARPGROUP + WARP, blocks)                                                                                      \
  conv2d_correlate_wgmma_##columns##_bulk(const __grid_constant__ TensorMap map, const MapView windows, const MapPatches patches,        \
                                          const __grid_constant__ TensorMap map_of_weights, const MatrixView weights,                    \
                                          const MapTarget target, int outputs, int k, const ProductEpilogue epilogue, int accumulate) {  \
    correlate_bulk_copied<columns>(map, windows, patches, map_of_weights, weights, target, outputs, k, epilogue, accumulate);            \
  }                                                                                                                                      \
  EXPORT_KERNEL(conv2d_correlate_wgmma_##columns##_bulk)                                                                                 \
  KERNEL_BLOCKS(2 * gemm::WARPGROUP + WARP, blocks)                                                                                      \
  conv2d_weight_gradient_wgmma_##columns##_bulk(const __grid_constant__ TensorMap map_of_dy, const MapView dy,                           \
                                                const __grid_constant__ TensorMap map, const MapView windows, const MapPatches patches,  \
                                                float* __restrict__ c, int c_stride, int m, int n, int accumulate, int patches_each) {   \
    weight_gradient_bulk_copied<columns>(map_of_dy, dy, map, windows, patches, c, c_stride, m, n, accumulate, patches_each);             \
  }                                                                                                                                      \
  EXPORT_KERNEL(conv2d_weight_gradient_wgmma_##columns##_bulk)

BULK_COPIED(64, 3)
BULK_COPIED(128, 2)
#endif
