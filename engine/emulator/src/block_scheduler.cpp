#include "block_scheduler.h"

#include "settings.h"

#include <algorithm>
#include <stdio.h>
#include <string.h>

namespace emulator {

bool BlockScheduler::run(Block& block, const KernelEntry& kernel, void** arguments, int order, unsigned long long seed) {
  prepare(block, order, seed);
  kernel_ = &kernel;
  arguments_ = arguments;
  current = {nullptr, &block, this, nullptr};
  while (ended_ < static_cast<int>(threads_.size()) && failure_.empty()) {
    if (next_runnable_ < runnable_.size()) {
      int thread = runnable_[next_runnable_++];
      if (next_runnable_ == runnable_.size()) {
        runnable_.clear();
        next_runnable_ = 0;
      }
      running_ = states_[thread].fiber;
      home_.resume(*running_);
    } else if (next_ < order_.size()) {
      running_ = fresh_fiber();
      home_.resume(*running_);
    } else if (bulk_.count() > 0) {
      deliver_bulk_copy();
    } else {
      failure_ = deadlock_report();
    }
  }
  if (failure_.empty() && bulk_.count() > 0) failure_ = "a block ended while a bulk copy to its shared memory was on its way";
  current = {};
  if (failure_.empty()) return true;
  // Fibers that wait for ever are abandoned with all they hold; kernels own nothing.
  idle_.clear();
  for (auto& fiber : fibers_) idle_.push_back(fiber.get());
  return false;
}

void BlockScheduler::prepare(Block& block, int order, unsigned long long seed) {
  const unsigned count = block.size.x * block.size.y * block.size.z;
  threads_.resize(count);
  order_.resize(count);
  copies_.resize(count);
  products_.resize(count);
  warps_.resize((count + 31) / 32);
  states_.assign(count, {});
  for (size_t warp = 0; warp < warps_.size(); warp++) {
    unsigned lanes = std::min(32u, count - 32 * static_cast<unsigned>(warp));
    warps_[warp].reset(lanes == 32 ? 0xffffffffu : (1u << lanes) - 1);
  }
  for (unsigned i = 0; i < count; i++) {
    threads_[i] = {{i % block.size.x, i / block.size.x % block.size.y, i / (block.size.x * block.size.y)}, static_cast<int>(i), i % 32};
    order_[i] = static_cast<int>(order == 1 ? count - 1 - i : i);
    copies_[i].open.clear();
    copies_[i].committed.clear();
    products_[i].reset();
  }
  if (order == 2) {
    std::mt19937_64 random(seed);
    std::shuffle(order_.begin(), order_.end(), random);
  }
  bulk_.reset();
  copies_order_ = order;
  chance_.seed(seed);
  next_ = next_runnable_ = 0;
  runnable_.clear();
  at_barrier_ = ended_ = 0;
  failure_.clear();
}

Fiber* BlockScheduler::fresh_fiber() {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>());
    idle_.push_back(fibers_.back().get());
  }
  Fiber* fiber = idle_.back();
  idle_.pop_back();
  fiber->prepare([](void* scheduler) { static_cast<BlockScheduler*>(scheduler)->run_threads(); }, this);
  return fiber;
}

// Threads that never wait run one after another on one fiber: a kernel without barriers costs no switches.
void BlockScheduler::run_threads() {
  Fiber* self = running_;
  while (next_ < order_.size()) {
    int thread = order_[next_++];
    current.thread = &threads_[thread];
    self->thread = thread;
    states_[thread].fiber = self;
    kernel_->call(arguments_);
    states_[thread].ended = true;
    ended_++;
    if (at_barrier_ > 0 && at_barrier_ + ended_ == static_cast<int>(threads_.size())) release_barrier();
    // Threads released meanwhile go first only when this fiber has no more threads to start: all threads of the block have
    // started by the time a barrier opens, and lanes of a warp wait for each other anyway.
  }
  idle_.push_back(self);
}

void BlockScheduler::park(Waiting reason) {
  Fiber* self = running_;
  Thread* thread = current.thread;
  states_[thread->ordinal].waiting = reason;
  self->leave();
  states_[thread->ordinal].waiting = Waiting::No;
  current.thread = thread;
}

// A string of its own would never be freed.
void BlockScheduler::fail(const char* why) {
  const Thread& thread = *current.thread;
  const Block& block = *current.block;
  char place[128];
  snprintf(place, sizeof place, " (block %u,%u,%u, thread %u,%u,%u)",
           block.index.x, block.index.y, block.index.z, thread.index.x, thread.index.y, thread.index.z);
  failure_ = why;
  failure_ += place;
  running_->leave();
  __builtin_unreachable();
}

int BlockScheduler::wait_at_barrier(BarrierKind kind, int predicate) {
  if (at_barrier_ == 0) {
    barrier_kind_ = kind;
    barrier_sum_ = kind == BarrierKind::And ? 1 : 0;
  } else if (barrier_kind_ != kind) {
    fail("threads of one block met at different kinds of barrier");
  }
  switch (kind) {
    case BarrierKind::Plain: break;
    case BarrierKind::Count: barrier_sum_ += predicate != 0; break;
    case BarrierKind::And: barrier_sum_ &= predicate != 0; break;
    case BarrierKind::Or: barrier_sum_ |= predicate != 0; break;
  }
  at_barrier_++;
  states_[current.thread->ordinal].waiting = Waiting::Barrier;
  if (at_barrier_ + ended_ == static_cast<int>(threads_.size())) release_barrier();
  // The last one to arrive queues with the others, so that the order after a barrier is the chosen one.
  park(Waiting::Barrier);
  return barrier_result_;
}

void BlockScheduler::release_barrier() {
  barrier_result_ = barrier_sum_;
  at_barrier_ = 0;
  for (int thread : order_) {
    if (states_[thread].waiting == Waiting::Barrier) runnable_.push_back(thread);
  }
}

LaneValues BlockScheduler::meet_lanes(unsigned mask, const void* value, size_t bytes) {
  const Thread& self = *current.thread;
  const unsigned own = 1u << self.lane;
  if (!(mask & own)) fail("a warp collective was called by a lane outside its mask");
  WarpMeetings& warp = warps_[self.ordinal / 32];
  Meeting& meeting = warp.with_mask(mask);
  const unsigned turn = meeting.turn;
  if (meeting.arrived == 0) meeting.bytes = bytes;
  if (meeting.bytes != bytes) fail("lanes of a warp met in different collectives");
  memcpy(meeting.slots[turn] + SLOT_BYTES * self.lane, value, bytes);
  meeting.arrived |= own;
  if (meeting.arrived == (mask & warp.lanes())) {
    meeting.present[turn] = meeting.arrived;
    meeting.turn ^= 1;
    const int first = self.ordinal - static_cast<int>(self.lane);
    for (unsigned others = meeting.arrived & ~own; others != 0; others &= others - 1) {
      runnable_.push_back(first + __builtin_ctz(others));
    }
    meeting.arrived = 0;
  } else {
    park(Waiting::Warp);
  }
  return {meeting.slots[turn], meeting.present[turn]};
}

void BlockScheduler::queue_copy(const AsyncCopy& copy) { copies_[current.thread->ordinal].open.push_back(copy); }

void BlockScheduler::commit_copies() {
  CopyQueue& queue = copies_[current.thread->ordinal];
  queue.committed.push_back(std::move(queue.open));
  queue.open.clear();
}

void BlockScheduler::wait_for_copies(int keep) {
  CopyQueue& queue = copies_[current.thread->ordinal];
  while (static_cast<int>(queue.committed.size()) > keep) {
    for (const AsyncCopy& copy : queue.committed.front()) {
      memcpy(copy.shared, copy.global, static_cast<size_t>(copy.valid));
      memset(static_cast<char*>(copy.shared) + copy.valid, 0, static_cast<size_t>(copy.bytes - copy.valid));
    }
    queue.committed.pop_front();
  }
}

void BlockScheduler::fence_products() { products_[current.thread->ordinal].fence(); }

void BlockScheduler::queue_product(const WarpgroupProduct& product) {
  if (settings.capability != 90) fail("only devices of compute capability 9.0 have products of warpgroups");
  const int thread = current.thread->ordinal;
  const Block& block = *current.block;
  if (const char* fault = products_[thread].queue(product, thread, block.dynamic_shared, block.dynamic_bytes)) fail(fault);
}

void BlockScheduler::commit_products() { products_[current.thread->ordinal].commit(); }

void BlockScheduler::wait_for_products(int keep) {
  const int thread = current.thread->ordinal;
  const Block& block = *current.block;
  if (const char* fault = products_[thread].wait(keep, thread, block.dynamic_shared, block.dynamic_bytes)) fail(fault);
}

void BlockScheduler::init_mbarrier(const void* barrier, int arrivals) {
  if (settings.capability < 90) fail("only devices of compute capability 9.0 have bulk copies");
  if (const char* fault = bulk_.init(barrier, arrivals)) fail(fault);
}

void BlockScheduler::arrive_at_mbarrier(const void* barrier, unsigned expected_bytes) {
  bool ended = false;
  if (const char* fault = bulk_.arrive(barrier, expected_bytes, ended)) fail(fault);
  if (!ended) return;
  release_mbarrier(barrier);
  // Those that waited go ahead: what this thread should have done before, but does only now, comes too late.
  if (copies_order_ == 1 || (copies_order_ == 2 && (chance_() & 1) != 0)) {
    runnable_.push_back(current.thread->ordinal);
    park(Waiting::No);
  }
}

void BlockScheduler::wait_for_mbarrier(const void* barrier, unsigned parity) {
  const Mbarrier* known = bulk_.barrier(barrier);
  if (known == nullptr) fail("a wait for an mbarrier that was not made");
  while (!known->passed(parity)) {
    states_[current.thread->ordinal].mbarrier = barrier;
    park(Waiting::Mbarrier);
    known = bulk_.barrier(barrier);
  }
}

void BlockScheduler::release_mbarrier(const void* barrier) {
  for (int thread : order_) {
    ThreadState& state = states_[thread];
    if (state.waiting != Waiting::Mbarrier || state.mbarrier != barrier) continue;
    state.waiting = Waiting::No;
    runnable_.push_back(thread);
  }
}

void BlockScheduler::queue_bulk_copy(void* shared, const void* map, int dimensions, const int* first, const void* barrier,
                                     unsigned (*swizzle)(unsigned)) {
  const Block& block = *current.block;
  if (const char* fault = bulk_.queue(shared, map, dimensions, first, barrier, swizzle, block.dynamic_shared, block.dynamic_bytes)) fail(fault);
  if (copies_order_ == 1 || (copies_order_ == 2 && (chance_() & 1) != 0)) {
    while (bulk_.count() > 0) deliver_bulk_copy();
  }
}

// The engine keeps no order: the newest comes first, or any.
void BlockScheduler::deliver_bulk_copy() {
  const size_t which = copies_order_ == 2 ? chance_() % bulk_.count() : bulk_.count() - 1;
  if (const void* barrier = bulk_.deliver(which)) release_mbarrier(barrier);
}

std::string BlockScheduler::deadlock_report() const {
  int at_barrier = 0, at_warp = 0, at_mbarrier = 0, first = -1;
  for (size_t i = 0; i < states_.size(); i++) {
    if (states_[i].ended) continue;
    (states_[i].waiting == Waiting::Barrier ? at_barrier : states_[i].waiting == Waiting::Mbarrier ? at_mbarrier : at_warp)++;
    if (first < 0) first = static_cast<int>(i);
  }
  const Block& block = *current.block;
  char text[320];
  if (at_mbarrier > 0) {
    int waiting = 0;
    while (states_[waiting].ended || states_[waiting].waiting != Waiting::Mbarrier) waiting++;
    const Mbarrier& barrier = *bulk_.barrier(states_[waiting].mbarrier);
    snprintf(text, sizeof text,
             "deadlock in block %u,%u,%u: %d threads at an mbarrier, %d at __syncthreads, %d at a warp collective, %d ended; "
             "the mbarrier of thread %d lacks %d arrivals and %lld bytes",
             block.index.x, block.index.y, block.index.z, at_mbarrier, at_barrier, at_warp, ended_, waiting, barrier.missing,
             static_cast<long long>(barrier.bytes));
    return text;
  }
  snprintf(text, sizeof text,
           "deadlock in block %u,%u,%u: %d threads at __syncthreads, %d at a warp collective, %d ended; "
           "the first that waits is thread %d (at %s)",
           block.index.x, block.index.y, block.index.z, at_barrier, at_warp, ended_, first,
           states_[first].waiting == Waiting::Barrier ? "__syncthreads" : "a warp collective");
  return text;
}

__thread Current current;

int wait_at_barrier(BarrierKind kind, int predicate) { return current.scheduler->wait_at_barrier(kind, predicate); }
LaneValues meet_lanes(unsigned mask, const void* value, size_t bytes) { return current.scheduler->meet_lanes(mask, value, bytes); }
void fail_kernel(const char* why) { current.scheduler->fail(why); }
void queue_async_copy(void* shared, const void* global, int bytes, int valid) {
  current.scheduler->queue_copy({shared, global, bytes, valid});
}
void commit_async_copies() { current.scheduler->commit_copies(); }
void wait_for_async_copies(int keep) { current.scheduler->wait_for_copies(keep); }
unsigned shared_window_address(const void* pointer) {
  return SHARED_WINDOW + static_cast<unsigned>(static_cast<const unsigned char*>(pointer) - current.block->dynamic_shared);
}
void fence_products() { current.scheduler->fence_products(); }
void queue_product(const WarpgroupProduct& product) { current.scheduler->queue_product(product); }
void commit_products() { current.scheduler->commit_products(); }
void wait_for_products(int keep) { current.scheduler->wait_for_products(keep); }
void init_mbarrier(const void* barrier, int arrivals) { current.scheduler->init_mbarrier(barrier, arrivals); }
void announce_mbarriers() { current.scheduler->announce_mbarriers(); }
void arrive_at_mbarrier(const void* barrier, unsigned expected_bytes) { current.scheduler->arrive_at_mbarrier(barrier, expected_bytes); }
void wait_for_mbarrier(const void* barrier, unsigned parity) { current.scheduler->wait_for_mbarrier(barrier, parity); }
void queue_bulk_copy(void* shared, const void* map, int dimensions, const int* first, const void* barrier, unsigned (*swizzle)(unsigned)) {
  current.scheduler->queue_bulk_copy(shared, map, dimensions, first, barrier, swizzle);
}

}  // namespace emulator
