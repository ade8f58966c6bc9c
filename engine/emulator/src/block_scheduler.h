// Runs the threads of one block at a time, each as a cooperative fiber.
#pragma once

#include "bulk_copies.h"
#include "fiber.h"
#include "shim/async_copy.h"
#include "shim/execution.h"
#include "shim/kernel_registration.h"
#include "shim/synchronization.h"
#include "shim/warp.h"
#include "shim/warpgroup.h"
#include "warp_meetings.h"
#include "warpgroup_products.h"

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace emulator {

struct AsyncCopy {
  void* shared;
  const void* global;
  int bytes, valid;
};

class BlockScheduler {
 public:
  // Runs one block to its end; false where it failed, see failure().
  bool run(Block& block, const KernelEntry& kernel, void** arguments, int order, unsigned long long seed);
  const std::string& failure() const { return failure_; }

  // The rest is called by kernels, on a fiber.
  int wait_at_barrier(BarrierKind kind, int predicate);
  LaneValues meet_lanes(unsigned mask, const void* value, size_t bytes);
  [[noreturn]] void fail(const char* why);
  void queue_copy(const AsyncCopy& copy);
  void commit_copies();
  void wait_for_copies(int keep);
  void fence_products();
  void queue_product(const WarpgroupProduct& product);
  void commit_products();
  void wait_for_products(int keep);
  void init_mbarrier(const void* barrier, int arrivals);
  void announce_mbarriers() { bulk_.announce(); }
  void arrive_at_mbarrier(const void* barrier, unsigned expected_bytes);
  void wait_for_mbarrier(const void* barrier, unsigned parity);
  void queue_bulk_copy(void* shared, const void* map, int dimensions, const int* first, const void* barrier, unsigned (*swizzle)(unsigned));

 private:
  enum class Waiting { No, Barrier, Warp, Mbarrier };

  struct ThreadState {
    Waiting waiting = Waiting::No;
    bool ended = false;
    Fiber* fiber = nullptr;
    const void* mbarrier = nullptr;  // That it waits for.
  };

  struct CopyQueue {
    std::vector<AsyncCopy> open;
    std::deque<std::vector<AsyncCopy>> committed;
  };

  void prepare(Block& block, int order, unsigned long long seed);
  void run_threads();
  void park(Waiting reason);
  void release_barrier();
  void deliver_bulk_copy();
  void release_mbarrier(const void* barrier);
  Fiber* fresh_fiber();
  std::string deadlock_report() const;

  Home home_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* running_ = nullptr;

  std::vector<Thread> threads_;
  std::vector<ThreadState> states_;
  std::vector<WarpMeetings> warps_;
  std::vector<CopyQueue> copies_;
  std::vector<WarpgroupProducts> products_;
  BulkCopies bulk_;
  int copies_order_ = 0;      // Bulk copies come as late as can be, at once, or in either way by chance.
  std::mt19937_64 chance_;
  std::vector<int> order_;    // The threads in the order in which they start and leave barriers.
  size_t next_ = 0;           // First thread in order_ that has not started.
  std::vector<int> runnable_;
  size_t next_runnable_ = 0;
  int at_barrier_ = 0, ended_ = 0;
  BarrierKind barrier_kind_ = BarrierKind::Plain;
  int barrier_sum_ = 0, barrier_result_ = 0;

  const KernelEntry* kernel_ = nullptr;
  void** arguments_ = nullptr;
  std::string failure_;
};

}  // namespace emulator
