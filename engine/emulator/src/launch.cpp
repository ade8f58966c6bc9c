#include "launch.h"

#include "block_scheduler.h"
#include "device_properties.h"
#include "settings.h"
#include "shared_memory.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace emulator {
namespace {

// Schedulers are kept between launches for their stacks.
class SchedulerPool {
 public:
  std::unique_ptr<BlockScheduler> rent() {
    std::lock_guard<std::mutex> hold(lock_);
    if (free_.empty()) return std::make_unique<BlockScheduler>();
    auto scheduler = std::move(free_.back());
    free_.pop_back();
    return scheduler;
  }

  void give_back(std::unique_ptr<BlockScheduler> scheduler) {
    std::lock_guard<std::mutex> hold(lock_);
    free_.push_back(std::move(scheduler));
  }

 private:
  std::mutex lock_;
  std::vector<std::unique_ptr<BlockScheduler>> free_;
};

SchedulerPool& scheduler_pool() {
  static SchedulerPool pool;
  return pool;
}

// One launch in progress: workers take blocks until there are none or one failed.
class Launch {
 public:
  Launch(const Kernel& kernel, const LaunchShape& shape, void** arguments)
      : kernel_(kernel), shape_(shape), arguments_(arguments), order_(settings.order), seed_(static_cast<unsigned>(settings.seed)) {
    count_ = static_cast<uint64_t>(shape.grid.x) * shape.grid.y * shape.grid.z;
    if (order_ == static_cast<int>(ThreadOrder::Shuffled)) {
      blocks_.resize(count_);
      for (uint64_t i = 0; i < count_; i++) blocks_[i] = i;
      std::mt19937_64 random(seed_);
      std::shuffle(blocks_.begin(), blocks_.end(), random);
    }
  }

  Status run() {
    const uint64_t wanted = static_cast<uint64_t>(settings.workers);
    std::vector<std::thread> helpers;
    for (uint64_t i = 1; i < std::min(wanted, count_); i++) helpers.emplace_back([this] { work(); });
    work();
    for (auto& helper : helpers) helper.join();
    return failed_ ? fail(LaunchFailed, std::string(kernel_.entry.name) + ": " + why_) : Success;
  }

 private:
  void work() {
    auto scheduler = scheduler_pool().rent();
    DynamicShared dynamic(shape_.dynamic_bytes);
    StaticShared fixed;
    for (uint64_t turn; !failed_ && (turn = next_++) < count_;) {
      const uint64_t number = block_number(turn);
      Block block{
          {static_cast<unsigned>(number % shape_.grid.x), static_cast<unsigned>(number / shape_.grid.x % shape_.grid.y),
           static_cast<unsigned>(number / shape_.grid.x / shape_.grid.y)},
          shape_.block, shape_.grid, dynamic.data(), shape_.dynamic_bytes};
      dynamic.poison();
      fixed.poison();
      if (!scheduler->run(block, kernel_.entry, arguments_, order_, seed_ * 0x9e3779b97f4a7c15ull + number)) {
        std::lock_guard<std::mutex> hold(lock_);
        if (!failed_) why_ = scheduler->failure();
        failed_ = true;
      }
      fixed.after_block();
    }
    scheduler_pool().give_back(std::move(scheduler));
  }

  uint64_t block_number(uint64_t turn) const {
    if (!blocks_.empty()) return blocks_[turn];
    return order_ == static_cast<int>(ThreadOrder::Descending) ? count_ - 1 - turn : turn;
  }

  const Kernel& kernel_;
  const LaunchShape& shape_;
  void** arguments_;
  int order_;
  uint64_t seed_;
  uint64_t count_;
  std::vector<uint64_t> blocks_;
  std::atomic<uint64_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex lock_;
  std::string why_;
};

}  // namespace

Status check_launch(const Kernel& kernel, const LaunchShape& shape) {
  const std::string name = kernel.entry.name;
  const dim3 &grid = shape.grid, &block = shape.block;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0) {
    return fail(InvalidValue, name + ": a dimension of the grid or the block is 0");
  }
  if (static_cast<uint64_t>(block.x) * block.y * block.z > MAX_THREADS_PER_BLOCK || block.z > MAX_BLOCK_Z) {
    return fail(InvalidValue, name + ": more than 1024 threads per block");
  }
  if (grid.x > MAX_GRID_X || grid.y > MAX_GRID_Y || grid.z > MAX_GRID_Y) return fail(InvalidValue, name + ": the grid is too large");
  if (shape.dynamic_bytes > static_cast<unsigned>(kernel.dynamic_shared_limit)) {
    return fail(InvalidValue, name + ": " + std::to_string(shape.dynamic_bytes) + " bytes of dynamic shared memory, but the function allows " +
                                  std::to_string(kernel.dynamic_shared_limit));
  }
  return Success;
}

Status run_kernel(const Kernel& kernel, const LaunchShape& shape, void** arguments) { return Launch(kernel, shape, arguments).run(); }

}  // namespace emulator
