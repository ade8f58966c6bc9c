// The products of common/gemm_wgmma.cuh with tiles that the copy engine brings (TMA): a warp of its own starts copies, two warpgroups multiply.
//
// Geometry: 288 threads, the last warp copies. Stages of tiles are a ring: `full` says that a stage's bytes have come, `empty` that the products
// of all eight warps that read it are done. Nobody waits for anybody else but at the end, where the sums are handed over.
//
// An operand is a copy rounded to bf16, [outer, position, width] without gaps. A tile is one or more boxes of 64 elements by box_rows rows, each
// within one outer index: what lies outside of the tensor, a convolution's border or a tile's ragged edge, the engine fills with zeros.
#pragma once
#include "common/bulk_copy.cuh"
#include "common/gemm_wgmma.cuh"

#ifdef HAS_WGMMA
namespace gemm {

// Brings tiles of `Extent` rows or columns of the product, from `first` on, by 64 of k, one after another from k on. Where k or the columns pass several
// segments, a segment is a multiple of 64 wide.
template <bool KMajor, int Extent>
class BulkLoader {
  static constexpr int BK = 64;
  static constexpr int LINES = KMajor ? Extent : BK, BLOCKS = KMajor ? 1 : Extent / 64;

 public:
  __device__ __forceinline__ BulkLoader(const TensorMap& map, const MatrixView& view, int box_rows, int first, int k)
      : map_(map), view_(view), box_rows_(box_rows), first_(first), k_(k) {}

  __device__ __forceinline__ void prefetch() const { prefetch_map(map_); }

  // Starts the copies of the present tile, of all lanes of a warp, and goes to the next along k.
  __device__ __forceinline__ void copy(unsigned char* tile, uint64_t* barrier) {
    int boxes_of_block = LINES / box_rows_;
    for (int i = threadIdx.x % WARP; i < BLOCKS * boxes_of_block; i += WARP) {
      int block = i / boxes_of_block, line = (i - block * boxes_of_block) * box_rows_;
      MatrixView::Row row = view_.row((KMajor ? first_ : k_) + line);
      MatrixView::Column column = view_.column(KMajor ? k_ : first_ + 64 * block);
      int position = row.index + column.segment * view_.step + view_.shift;
      bulk_copy_3d(tile + (block * BK + line) * SWIZZLE_LINE, map_, column.index, position, row.outer, barrier);
    }
    k_ += BK;
  }

 private:
  const TensorMap& map_;
  const MatrixView& view_;
  int box_rows_, first_, k_;
};

// The barriers of a ring of stages.
template <int Stages>
struct Ring {
  uint64_t full[Stages], empty[Stages];

  // All threads; there is a ring afterwards.
  __device__ __forceinline__ void init(int readers) {
    if (threadIdx.x == 0) {
      for (int stage = 0; stage < Stages; stage++) {
        mbarrier_init(&full[stage], 1);
        mbarrier_init(&empty[stage], readers);
      }
      mbarrier_announce();
    }
    __syncthreads();
  }
};

// The sums of one tile of C over so many tiles of k, above 0, whose bytes the last warp of a block has two loaders bring. They then lie in the tiles' place
// for all threads, as Warpgroups::store leaves them.
template <int Stages, bool KMajorA, bool KMajorB, int Columns, typename LoaderA, typename LoaderB>
__device__ __forceinline__ void sum_bulk_copied(LoaderA load_a, LoaderB load_b, int steps, unsigned char* tiles) {
  using Math = Warpgroups<KMajorA, KMajorB, Columns>;
  constexpr int STAGE = Math::SIZE_A + Math::SIZE_B;
  static_assert(Stages * STAGE >= Math::ROWS * Math::STAGED_ROW * int(sizeof(float)), "the sums take the place of the tiles");
  __shared__ Ring<Stages> ring;
  bool copies = __shfl_sync(FULL_WARP, int(threadIdx.x) / WARP, 0) == Math::THREADS / WARP, leads = threadIdx.x % WARP == 0;
  ring.init(Math::THREADS / WARP);
  Math math;
  if (copies) {
    if (leads) {
      load_a.prefetch();
      load_b.prefetch();
    }
#pragma unroll 1
    for (int s = 0; s < steps; s++) {
      int stage = s % Stages;
      if (s >= Stages) mbarrier_wait(&ring.empty[stage], (s / Stages - 1) & 1);
      if (leads) mbarrier_arrive_expect(&ring.full[stage], STAGE);
      unsigned char* tile = tiles + stage * STAGE;
      load_a.copy(tile, &ring.full[stage]);
      load_b.copy(tile + Math::SIZE_A, &ring.full[stage]);
      __syncwarp();  // A lane that fell two phases behind would take the parity it waits for as not yet there.
    }
  } else {
    math.clear();
    auto start = [&](int s) {
      mbarrier_wait(&ring.full[s % Stages], (s / Stages) & 1);
      unsigned tile = shared_address(tiles) + s % Stages * STAGE;
      math.start(tile, tile + Math::SIZE_A);
    };
    start(0);  // Ahead of the loop, as in sum_on_warpgroups.
#pragma unroll 1
    for (int s = 1; s < steps; s++) {
      start(s);
      wgmma_wait<1>();
      if (leads) mbarrier_arrive(&ring.empty[(s - 1) % Stages]);
    }
    wgmma_finish(math.sums);
  }
  __syncthreads();  // All tiles have been read.
  if (!copies) math.store(reinterpret_cast<float*>(tiles));
  __syncthreads();
}

// One block, as multiply_on_warpgroups.
template <bool KMajorA, bool KMajorB, int Columns, int Stages>
__device__ __forceinline__ void multiply_bulk_copied(const TensorMap& map_a, const MatrixView& a, int box_rows_a, const TensorMap& map_b,
                                                     const MatrixView& b, int box_rows_b, float* c, int c_stride, int m, int n, int k,
                                                     const ProductEpilogue& epilogue, int accumulate, int k_each) {
  using Math = Warpgroups<KMajorA, KMajorB, Columns>;
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* tiles = swizzled_tiles(memory);
  int tiles_of_row = divide_up(n, Columns);
  int first_row = blockIdx.x / tiles_of_row * Math::ROWS, first_column = blockIdx.x % tiles_of_row * Columns;
  int k_from = blockIdx.y * k_each, steps = divide_up(min(k - k_from, k_each), Math::BK);
  sum_bulk_copied<Stages, KMajorA, KMajorB, Columns>(BulkLoader<KMajorA, Math::ROWS>(map_a, a, box_rows_a, first_row, k_from),
                                                     BulkLoader<KMajorB, Columns>(map_b, b, box_rows_b, first_column, k_from), steps, tiles);
  Sink sink(c + int64_t(blockIdx.y) * m * c_stride, c_stride, m, n, epilogue, accumulate != 0, first_row, first_column);
  Math::hand_over(sink, reinterpret_cast<const float*>(tiles));
  if constexpr (KMajorA && KMajorB) Math::measure(reinterpret_cast<const float*>(tiles), epilogue, m, n, first_row, first_column);
  if constexpr (KMajorA && !KMajorB) Math::sum_gradient(reinterpret_cast<float*>(tiles), epilogue, m, n, first_row, first_column);
}

}  // namespace gemm
#endif
