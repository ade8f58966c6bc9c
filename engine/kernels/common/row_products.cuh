// The products of some rows of A, tile after tile, with the same tile of rows of B, each handed on while it is in registers: for what needs A · Bᵀ once
// and not again, and so never stores it.
//
// A block of common/gemm_math.cuh's threads goes through the tiles of A as through one long matrix product: the first k of the next tile are on their way
// while the present one is made use of. Where they fit, the rows of B stay in shared memory from the first tile on, else they come with every tile.
// The order of the sums is that of mat_mul.cu's product in one part: the same bits.
// Traffic: 4 · width bytes for each row of A; for each row of B once, or with every tile of A.
#pragma once
#include "common/gemm_math.cuh"
#include "common/tile_loader.cuh"

namespace gemm {

// A matrix of plain rows, as tile loaders read it; beyond its ends there are zeros.
struct RowsView {
  const float* data;
  int rows, columns;
  int64_t stride;

  struct Row {
    int index;
  };
  struct Column {
    int index;
  };

  __device__ __forceinline__ Row row(int number) const { return {number}; }
  __device__ __forceinline__ Column column(int number) const { return {number}; }
  __device__ __forceinline__ void move_down(Row& row, int rows) const { row.index += rows; }
  __device__ __forceinline__ void move_right(Column& column, int columns) const { column.index += columns; }
  __device__ __forceinline__ bool has(const Column& column) const { return column.index < columns; }

  __device__ __forceinline__ const float* locate(const Row& row, const Column& column, bool inside) const {
    return inside ? data + row.index * stride + column.index : data;
  }

  __device__ __forceinline__ bool by_fours() const { return columns % 4 == 0 && stride % 4 == 0 && reinterpret_cast<uint64_t>(data) % 16 == 0; }
};

// Rows of A from first_row on, in tiles, up to end_row; rows of B from first_column on, a tile of them. `Math` is an arithmetic with k along the rows of
// both, of which `resident` says whether the rows of B stay. Calls use(row) when the sums of the tile that begins with a row are finished.
template <typename Math, int Tile>
class RowProducts {
  using Loader = TileLoader<true, Tile, Math::BK, Math::THREADS, RowsView>;

 public:
  __device__ __forceinline__ RowProducts(const RowsView& a, int first_row, int end_row, const RowsView& b, int first_column, bool resident)
      : a_(a), b_(b), first_column_(first_column), slabs_(max(1, divide_up(a.columns, Math::BK))),
        steps_(divide_up(end_row - first_row, Tile) * slabs_), resident_(resident), brought_{first_row, 0}, multiplied_{first_row, 0} {}

  template <typename Use>
  __device__ __forceinline__ void for_each(Math& math, Use use) {
    math.clear();
    if constexpr (Math::ROUNDED) {
      through_registers(math, use);
    } else {
      by_copies(math, use);
    }
  }

 private:
  // A tile of A by its first row, and which BK of k.
  struct Place {
    int row, slab;
  };

  // As gemm::multiply_copied.
  template <typename Use>
  __device__ __forceinline__ void by_copies(Math& math, Use use) {
    DYNAMIC_SHARED(float, of_a);
    float* of_b = of_a + Math::STAGES * Math::SIZE_A;
#pragma unroll 1
    for (int s = 0; s < steps_ + Math::STAGES - 1; s++) {
      if (s >= Math::STAGES - 1) {
        copy_async_wait<Math::STAGES - 2>();
        __syncthreads();  // The tile is there for all threads, and the one to be overwritten was used by all.
      }
      if (s < steps_) {
        Loader(a_, brought_.row, brought_.slab * Math::BK).template copy<Math::STRIDE_A>(of_a + s % Math::STAGES * Math::SIZE_A);
        if (brings_b(s)) Loader(b_, first_column_, brought_.slab * Math::BK).template copy<Math::STRIDE_B>(of_b + slot_of_b(s, brought_) * Math::SIZE_B);
        next(brought_);
      }
      copy_async_commit();  // Empty groups too, so that the count of groups stays the count of tiles.
      int done = s - Math::STAGES + 1;
      if (done >= 0) {
        math.multiply(of_a + done % Math::STAGES * Math::SIZE_A, of_b + slot_of_b(done, multiplied_) * Math::SIZE_B);
        finish(math, use);
      }
    }
  }

  // As gemm::multiply_rounded.
  template <typename Use>
  __device__ __forceinline__ void through_registers(Math& math, Use use) {
    DYNAMIC_SHARED(uint16_t, of_a);
    uint16_t* of_b = of_a + Math::STAGES * Math::SIZE_A;
#pragma unroll 1
    for (int s = 0; s <= steps_; s++) {
      float values_a[Loader::PASSES][4], values_b[Loader::PASSES][4];
      Loader load_a(a_, brought_.row, brought_.slab * Math::BK), load_b(b_, first_column_, brought_.slab * Math::BK);
      if (s < steps_) {
        load_a.load(values_a);
        if (brings_b(s)) load_b.load(values_b);
      }
      if (s > 0) math.multiply(of_a + (s - 1) % Math::STAGES * Math::SIZE_A, of_b + slot_of_b(s - 1, multiplied_) * Math::SIZE_B);
      if (s < steps_) {
        load_a.template store_bf16<Math::STRIDE_A>(values_a, of_a + s % Math::STAGES * Math::SIZE_A);
        if (brings_b(s)) load_b.template store_bf16<Math::STRIDE_B>(values_b, of_b + slot_of_b(s, brought_) * Math::SIZE_B);
        next(brought_);
      }
      if (s > 0) finish(math, use);
      __syncthreads();
    }
  }

  template <typename Use>
  __device__ __forceinline__ void finish(Math& math, Use use) {
    int row = multiplied_.row;
    next(multiplied_);
    if (multiplied_.slab == 0) {
      use(row);
      math.clear();
    }
  }

  __device__ __forceinline__ void next(Place& place) const {
    if (++place.slab == slabs_) {
      place.slab = 0;
      place.row += Tile;
    }
  }

  __device__ __forceinline__ bool brings_b(int step) const { return !resident_ || step < slabs_; }
  __device__ __forceinline__ int slot_of_b(int step, const Place& place) const { return resident_ ? place.slab : step % Math::STAGES; }

  const RowsView &a_, &b_;
  int first_column_, slabs_, steps_;
  bool resident_;
  Place brought_, multiplied_;
};

}  // namespace gemm
