// Products of rows that stay in shared memory with others that stream past, all brought by the copy engine (TMA): what the search of k-means and the
// loss over similarities have in common. Rows lie in copies rounded to bf16, [rows, width].
//
// Geometry: two warpgroups have 64 of 128 own rows each. A further warp starts copies, 288 threads; or, where the two need more than 168 registers,
// a further warpgroup, which leaves them most of its own, 384 threads. Widths are cut into pieces of 64. The own rows come once; a piece of a tile
// of the others is a stage of the ring of common/gemm_bulk.cuh, so that the pieces of the next tiles are on their way while a tile's products are
// made use of, however wide the rows. The warpgroups wait for each other but once: the second begins when the first has started the products of a
// tile, or of as much of it as the ring holds, so that from then on one makes use of products while the other has the tensor cores. Had both begun
// at once, sharing these, they would have been no earlier.
// What lies beyond the last row, or beyond the width, the engine fills with zeros.
#pragma once
#include "common/gemm_bulk.cuh"

#ifdef HAS_WGMMA
namespace streamed {

constexpr int OWN_TILE = 128, PIECE_WIDTH = 64, CONSUMERS = 2 * gemm::WARPGROUP;
constexpr int THREADS = CONSUMERS + WARP, THREADS_FOR_REGISTERS = CONSUMERS + gemm::WARPGROUP;
constexpr int OWN_PIECE = OWN_TILE * SWIZZLE_LINE, GROUP = 8 * SWIZZLE_LINE;

// What a block multiplies: its first own row; the first of its others and how many tiles of them; pieces of the width, and with which they begin, going
// around; how many of the own rows' pieces are resident, while the rest comes again with each tile; stages of the ring; which outer index of their map
// the others have. Stages are given back when the next piece has come, and one that is not resident takes two: fewer than 2 stages, or 3 with one such
// piece, or 4 with several, would wait for ever.
struct Extent {
  int own, other, tiles, pieces, begin, resident, stages, outer = 0;
};

template <int MostStages>
struct Barriers {
  gemm::Ring<MostStages> ring;
  uint64_t own, second;  // The own rows are there; the second warpgroup may begin.
};

// Goes around the ring: a stage, and the parity of its phase.
struct Place {
  int stage;
  unsigned parity;

  __device__ __forceinline__ void next(int stages) {
    stage++;
    if (stage < stages) return;
    stage = 0;
    parity ^= 1;
  }
};

// The first of the two own rows of a thread, which are 8 apart, and its first column of a tile.
__device__ __forceinline__ int own_row() { return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4; }
__device__ __forceinline__ int own_column() { return threadIdx.x % 4 * 2; }

// Tiles of OtherTile others. A thread has sums of OtherTile / 4 columns of both its rows: of row i (0, 1) with column e (0, 1) of pair q they are in
// [4 q + 2 i + e].
template <int OtherTile, int MostStages>
class Rows {
 public:
  static constexpr int STAGE = OtherTile * SWIZZLE_LINE, SUMS = OtherTile / 2;

  // All threads.
  __device__ __forceinline__ Rows(Barriers<MostStages>& barriers, const Extent& extent)
      : barriers_(barriers), extent_(extent), next_{0, 0}, done_{0, 0}, kept_{0, 0}, lets_second_begin_(warpgroup() == 0 && threadIdx.x % WARP == 0) {
    DYNAMIC_SHARED(unsigned char, memory);
    own_rows_ = gemm::swizzled_tiles(memory);
    if (threadIdx.x == 0) {
      mbarrier_init(&barriers_.own, 1);
      mbarrier_init(&barriers_.second, gemm::WARPGROUP / WARP);
    }
    barriers_.ring.init(CONSUMERS / WARP);
  }

  // Whether this thread is of those that copy, all of whose work is bring().
  __device__ __forceinline__ static bool copies() { return __shfl_sync(FULL_WARP, int(threadIdx.x) / WARP, 0) >= CONSUMERS / WARP; }

  // Starts all copies, each as soon as there is room; one thread does.
  __device__ __forceinline__ void bring(const TensorMap& own, const TensorMap& other) {
    if (threadIdx.x != CONSUMERS) return;
    prefetch_map(own);
    prefetch_map(other);
    mbarrier_arrive_expect(&barriers_.own, extent_.resident * OWN_PIECE);
    for (int p = 0; p < extent_.resident; p++) bulk_copy_3d(own_rows_ + p * OWN_PIECE, own, column(p), extent_.own, 0, &barriers_.own);
#pragma unroll 1
    for (int t = 0; t < extent_.tiles; t++) {
#pragma unroll 1
      for (int p = 0; p < extent_.pieces; p++) {
        if (STAGE == OWN_PIECE && p >= extent_.resident) copy(own, p, extent_.own, 0);
        copy(other, p, extent_.other + t * OtherTile, extent_.outer);
      }
    }
  }

  // Before the first products, of which there are some.
  __device__ __forceinline__ void begin() const {
    mbarrier_wait(&barriers_.own, 0);
    if (warpgroup() == 1) mbarrier_wait(&barriers_.second, 0);
  }

  // The products of the own rows with the next tile, whose pieces from `first_kept` on stay until release().
  __device__ __forceinline__ void multiply(float (&sums)[SUMS], int first_kept) {
#pragma unroll
    for (int i = 0; i < SUMS; i++) sums[i] = 0.0f;
    wgmma_hold(sums);
    kept_ = next_;
    start(0, sums);  // Ahead of the loop: entered with zeros, it would not be allowed to leave products unfinished from turn to turn.
#pragma unroll 1
    for (int p = 1; p < extent_.pieces; p++) {
      start(p, sums);
      wgmma_wait<1>();
      finish(p - 1, first_kept);
    }
    wgmma_finish(sums);
    finish(extent_.pieces - 1, first_kept);
  }

  __device__ __forceinline__ void multiply(float (&sums)[SUMS]) { multiply(sums, extent_.pieces); }

  // sums[q] += weights, which are in the places of the tile's products, times piece `first + q` of the tile. Where the width has fewer pieces, its
  // last is taken again, for sums that nobody reads: a product that is there for some widths only would have to be waited for.
  template <int Pieces>
  __device__ __forceinline__ void add_weighted(const float (&weights)[SUMS], int first, float (&sums)[Pieces][PIECE_WIDTH / 2]) {
    uint32_t held[OtherTile / 16][4];
#pragma unroll
    for (int k = 0; k < OtherTile / 16; k++) {
#pragma unroll
      for (int i = 0; i < 4; i++) held[k][i] = pack_bf16(weights[8 * k + 2 * i], weights[8 * k + 2 * i + 1]);
      wgmma_hold(held[k]);
    }
#pragma unroll
    for (int q = 0; q < Pieces; q++) wgmma_hold(sums[q]);
    wgmma_fence();
#pragma unroll
    for (int q = 0; q < Pieces; q++) {
      int stage = kept_.stage + min(first + q, extent_.pieces - 1);
      unsigned piece = stage_address(stage < extent_.stages ? stage : stage - extent_.stages);
#pragma unroll
      for (int k = 0; k < OtherTile / 16; k++) {
        wgmma_bf16_held<true>(sums[q], held[k], operand_descriptor(piece + 16 * SWIZZLE_LINE * k, STAGE, GROUP));
      }
    }
    wgmma_commit();
#pragma unroll
    for (int q = 0; q < Pieces; q++) wgmma_finish(sums[q]);
  }

  // The kept pieces of the tile are not needed any longer.
  __device__ __forceinline__ void release(int first_kept) {
    for (int p = 0; p < first_kept; p++) kept_.next(extent_.stages);
    for (int p = first_kept; p < extent_.pieces; p++) {
      arrive(kept_);
      kept_.next(extent_.stages);
    }
  }

 private:
  __device__ __forceinline__ static int warpgroup() { return __shfl_sync(FULL_WARP, int(threadIdx.x) / gemm::WARPGROUP, 0); }

  // Of the width, where a piece begins.
  __device__ __forceinline__ int column(int piece) const { return (piece + extent_.begin) % extent_.pieces * PIECE_WIDTH; }

  __device__ __forceinline__ unsigned char* stage(int number) const { return own_rows_ + extent_.resident * OWN_PIECE + number * STAGE; }
  __device__ __forceinline__ unsigned stage_address(int number) const { return shared_address(stage(number)); }

  __device__ __forceinline__ void copy(const TensorMap& map, int piece, int row, int outer) {
    mbarrier_wait(&barriers_.ring.empty[next_.stage], next_.parity ^ 1);
    mbarrier_arrive_expect(&barriers_.ring.full[next_.stage], STAGE);
    bulk_copy_3d(stage(next_.stage), map, column(piece), row, outer, &barriers_.ring.full[next_.stage]);
    next_.next(extent_.stages);
  }

  // The address of the next stage, as soon as its bytes have come.
  __device__ __forceinline__ unsigned take() {
    mbarrier_wait(&barriers_.ring.full[next_.stage], next_.parity);
    unsigned address = stage_address(next_.stage);
    next_.next(extent_.stages);
    return address;
  }

  __device__ __forceinline__ void start(int piece, float (&sums)[SUMS]) {
    unsigned own = shared_address(own_rows_) + piece * OWN_PIECE;
    if (STAGE == OWN_PIECE && piece >= extent_.resident) own = take();
    own += warpgroup() * 64 * SWIZZLE_LINE;
    unsigned other = take();
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < PIECE_WIDTH / 16; step++) {
      wgmma_bf16<false, false>(sums, operand_descriptor(own + 32 * step, STAGE, GROUP), operand_descriptor(other + 32 * step, STAGE, GROUP));
    }
    wgmma_commit();
    // Not later, for soon the ring has no stage that the second warpgroup does not hold.
    if (lets_second_begin_ && piece + 1 == min(extent_.resident, extent_.stages)) {
      mbarrier_arrive(&barriers_.second);
      lets_second_begin_ = false;
    }
  }

  // The products with a piece are done.
  __device__ __forceinline__ void finish(int piece, int first_kept) {
    if (STAGE == OWN_PIECE && piece >= extent_.resident) give_back();
    if (piece < first_kept) {
      give_back();
    } else {
      done_.next(extent_.stages);
    }
  }

  __device__ __forceinline__ void give_back() {
    arrive(done_);
    done_.next(extent_.stages);
  }

  __device__ __forceinline__ void arrive(const Place& place) {
    if (threadIdx.x % WARP == 0) mbarrier_arrive(&barriers_.ring.empty[place.stage]);
  }

  Barriers<MostStages>& barriers_;
  Extent extent_;
  Place next_, done_, kept_;
  bool lets_second_begin_;
  unsigned char* own_rows_;
};

}  // namespace streamed
#endif
