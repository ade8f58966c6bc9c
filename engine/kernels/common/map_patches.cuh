// Tiles of the windows of maps (common/map_view.cuh) that the copy engine brings. A tile is a patch: as many neighbouring windows of a row, rows and maps
// as it takes, powers of two. Under one tap its elements lie in the copy rounded to bf16, [N, H, W, C] without gaps, at the strides' steps, so 64 channels
// of them are one box; a tap moves the box. What lies outside of the maps, their padding, the engine fills with zeros. Patches cover the windows from the
// first on; those at the ends of rows, columns and maps may have windows that do not exist, whose sums nobody stores.
#pragma once
#include "common/gemm_bulk.cuh"
#include "common/map_view.cuh"

// Field by field that of the host.
struct MapPatches {
  int width_bits, height_bits;  // Of a patch: 1 << these windows of a row, and rows; the rest of its windows are maps.
  int across, down, count;      // Patches beside each other, one below another, and all.

  // The first window of a patch of so many.
  template <int Windows>
  __device__ __forceinline__ MapView::Row first(int number) const {
    int line = number / across, layer = line / down;
    return {layer * maps<Windows>(), (line - layer * down) << height_bits, (number - line * across) << width_bits};
  }

  template <int Windows>
  __device__ __forceinline__ void move_on(MapView::Row& first) const {
    first.j += 1 << width_bits;
    if (first.j < across << width_bits) return;
    first.j = 0;
    first.i += 1 << height_bits;
    if (first.i < down << height_bits) return;
    first.i = 0;
    first.map += maps<Windows>();
  }

  // A window of the patch with that first one.
  __device__ __forceinline__ MapView::Row window(const MapView::Row& first, int index) const {
    int line = index >> width_bits, map = line >> height_bits;
    return {first.map + map, first.i + line - (map << height_bits), first.j + index - (line << width_bits)};
  }

 private:
  template <int Windows>
  __device__ __forceinline__ int maps() const {
    return Windows >> (width_bits + height_bits);
  }
};

#ifdef HAS_WGMMA
namespace gemm {

// Brings tiles as BulkLoader. KMajor: the rows or columns of the product are the windows of one patch, k the elements under their taps; else `first` is an
// element, and k runs over windows, a patch of 64 at a time. Where there are several taps, channels are a multiple of 64.
template <bool KMajor, int Extent>
class PatchLoader {
  static constexpr int BK = 64;
  static constexpr int WINDOWS = KMajor ? Extent : BK, BOXES = KMajor ? 1 : Extent / 64;

 public:
  __device__ __forceinline__ PatchLoader(const TensorMap& map, const MapView& view, const MapPatches& patches, int first, int k)
      : map_(map), view_(view), patches_(patches), patch_(patches.first<WINDOWS>((KMajor ? first : k) / WINDOWS)),
        column_(view.column(KMajor ? k : first + 64 * box())) {}

  __device__ __forceinline__ void prefetch() const { prefetch_map(map_); }

  __device__ __forceinline__ void copy(unsigned char* tile, uint64_t* barrier) {
    if (int(threadIdx.x) % WARP < BOXES) {
      bulk_copy_4d(tile + box() * WINDOWS * SWIZZLE_LINE, map_, column_.index, patch_.j * view_.stride_width + view_.left + column_.q,
                   patch_.i * view_.stride_height + view_.top + column_.p, patch_.map, barrier);
    }
    if (KMajor) {
      view_.move_right(column_, BK);
    } else {
      patches_.move_on<WINDOWS>(patch_);
    }
  }

 private:
  __device__ __forceinline__ static int box() { return int(threadIdx.x) % BOXES; }

  const TensorMap& map_;
  const MapView& view_;
  const MapPatches& patches_;
  MapView::Row patch_;
  MapView::Column column_;
};

}  // namespace gemm
#endif
