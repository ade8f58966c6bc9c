// The few names of NCCL that the project uses, for processes on one machine, each with an emulated device of its own. They exchange through shared memory
// and add in the order of their ranks, so that all get the same bits.
#include "driver_api.h"

#include <atomic>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

using namespace emulator;

namespace {

enum NcclStatus { NcclSuccess = 0, NcclCudaError = 1, NcclSystemError = 2, NcclInternalError = 3, NcclInvalidArgument = 4, NcclRemoteError = 6 };

constexpr int NCCL_VERSION = 22105;
constexpr int NCCL_FLOAT32 = 7, NCCL_SUM = 0, NCCL_AVERAGE = 4;
constexpr size_t SLOT_FLOATS = 1 << 16;

struct UniqueId {
  char name[128];
};

enum class Call : uint32_t { Reduce = 1, Gather = 2 };

// At the start of the shared memory, which begins as zeros. A slot of each rank follows.
struct Meeting {
  std::atomic<uint32_t> arrived, generation;
};

struct Announcement {
  Call call;
  uint64_t count;
};

struct Group {
  int rank, ranks;
  void* memory = nullptr;
  size_t bytes = 0;
  std::atomic<bool> given_up{false};
  std::atomic<int> failure{NcclSuccess};

  ~Group() {
    if (memory != nullptr) munmap(memory, bytes);
  }

  static size_t bytes_for(int ranks) { return header_bytes() + static_cast<size_t>(ranks) * slot_bytes(); }
  static size_t header_bytes() { return 64; }
  static size_t slot_bytes() { return 64 + SLOT_FLOATS * sizeof(float); }

  Meeting& meeting() const { return *static_cast<Meeting*>(memory); }
  Announcement& announcement(int of) const {
    return *reinterpret_cast<Announcement*>(static_cast<char*>(memory) + header_bytes() + static_cast<size_t>(of) * slot_bytes());
  }
  float* slot(int of) const { return reinterpret_cast<float*>(reinterpret_cast<char*>(&announcement(of)) + 64); }

  // Waits for all ranks; false where this process gave up.
  bool meet() {
    Meeting& all = meeting();
    const uint32_t generation = all.generation.load();
    if (all.arrived.fetch_add(1) + 1 == static_cast<uint32_t>(ranks)) {
      all.arrived.store(0);
      all.generation.fetch_add(1);
      return true;
    }
    for (int turn = 0; all.generation.load() == generation; turn++) {
      if (given_up) return false;
      if (turn < 100) {
        sched_yield();
      } else {
        usleep(50);
      }
    }
    return true;
  }
};

Status give_up(Group& group) {
  group.failure = NcclRemoteError;
  return fail(LaunchFailed, "a collective call was given up");
}

// Passes `count` values of every rank through the slots, piece by piece.
Status exchange(Group& group, Call call, const float* own, uint64_t count, const std::function<void(uint64_t start, uint64_t length)>& take) {
  group.announcement(group.rank) = {call, count};
  if (!group.meet()) return give_up(group);
  for (int rank = 0; rank < group.ranks; rank++) {
    const Announcement& other = group.announcement(rank);
    if (other.call != call || other.count != count) {
      group.failure = NcclInternalError;
      return fail(LaunchFailed, "the ranks make different collective calls");
    }
  }
  for (uint64_t start = 0; start < count; start += SLOT_FLOATS) {
    const uint64_t length = count - start < SLOT_FLOATS ? count - start : SLOT_FLOATS;
    memcpy(group.slot(group.rank), own + start, length * sizeof(float));
    if (!group.meet()) return give_up(group);
    take(start, length);
    if (!group.meet()) return give_up(group);
  }
  return Success;
}

int submit(void* handle, const void* source, void* destination, size_t count, size_t destination_count, int type, void* stream,
           std::function<Status(Group&)> work) {
  if (handle == nullptr || type != NCCL_FLOAT32) return NcclInvalidArgument;
  if (count > 0 && (!is_device_range(reinterpret_cast<uint64_t>(source), count * sizeof(float)) ||
                    !is_device_range(reinterpret_cast<uint64_t>(destination), destination_count * sizeof(float)))) {
    return NcclInvalidArgument;
  }
  auto group = *static_cast<std::shared_ptr<Group>*>(handle);
  int status = on_stream(stream, [&](Stream& each) { return each.submit(LibraryCall{[group, work] { return work(*group); }}); });
  return status == Success ? NcclSuccess : group->failure != NcclSuccess ? group->failure.load() : NcclCudaError;
}

}  // namespace

DRIVER_API ncclGetVersion(int* version) {
  *version = NCCL_VERSION;
  return NcclSuccess;
}

extern "C" __attribute__((visibility("default"))) const char* ncclGetErrorString(int status) {
  switch (status) {
    case NcclSuccess: return "no error";
    case NcclCudaError: return "unhandled cuda error";
    case NcclSystemError: return "unhandled system error";
    case NcclInvalidArgument: return "invalid argument";
    case NcclRemoteError: return "remote process exited or there was a network error";
    default: return "internal error";
  }
}

DRIVER_API ncclGetUniqueId(UniqueId* id) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  memset(id, 0, sizeof *id);
  snprintf(id->name, sizeof id->name, "/spk-nccl-%d-%lld-%ld", getpid(), static_cast<long long>(now.tv_sec), now.tv_nsec);
  return NcclSuccess;
}

DRIVER_API ncclCommInitRank(void** handle, int ranks, UniqueId id, int rank) {
  if (ranks < 1 || rank < 0 || rank >= ranks || memchr(id.name, 0, sizeof id.name) == nullptr) return NcclInvalidArgument;
  auto group = std::make_shared<Group>();
  group->rank = rank;
  group->ranks = ranks;
  const int file = shm_open(id.name, O_CREAT | O_RDWR, 0600);
  if (file < 0) return NcclSystemError;
  const size_t bytes = Group::bytes_for(ranks);
  void* memory = ftruncate(file, static_cast<off_t>(bytes)) == 0 ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  close(file);
  if (memory == MAP_FAILED) {
    shm_unlink(id.name);
    return NcclSystemError;
  }
  group->memory = memory;
  group->bytes = bytes;
  group->meet();
  if (rank == 0) shm_unlink(id.name);
  *handle = new std::shared_ptr<Group>(group);
  return NcclSuccess;
}

DRIVER_API ncclAllReduce(const void* source, void* destination, size_t count, int type, int operation, void* handle, void* stream) {
  if (operation != NCCL_SUM && operation != NCCL_AVERAGE) return NcclInvalidArgument;
  return submit(handle, source, destination, count, count, type, stream, [=](Group& group) {
    auto* to = static_cast<float*>(destination);
    return exchange(group, Call::Reduce, static_cast<const float*>(source), count, [&](uint64_t start, uint64_t length) {
      for (uint64_t i = 0; i < length; i++) {
        float sum = 0.0f;
        for (int rank = 0; rank < group.ranks; rank++) sum += group.slot(rank)[i];
        to[start + i] = operation == NCCL_AVERAGE ? sum / static_cast<float>(group.ranks) : sum;
      }
    });
  });
}

DRIVER_API ncclAllGather(const void* source, void* destination, size_t count, int type, void* handle, void* stream) {
  const size_t ranks = handle == nullptr ? 0 : static_cast<size_t>((*static_cast<std::shared_ptr<Group>*>(handle))->ranks);
  return submit(handle, source, destination, count, ranks * count, type, stream, [=](Group& group) {
    auto* to = static_cast<float*>(destination);
    return exchange(group, Call::Gather, static_cast<const float*>(source), count, [&](uint64_t start, uint64_t length) {
      for (int rank = 0; rank < group.ranks; rank++) memcpy(to + static_cast<size_t>(rank) * count + start, group.slot(rank), length * sizeof(float));
    });
  });
}

DRIVER_API ncclCommGetAsyncError(void* handle, int* status) {
  *status = (*static_cast<std::shared_ptr<Group>*>(handle))->failure;
  return NcclSuccess;
}

// Another thread may be waiting in a call: what the group holds lives on until that has returned.
DRIVER_API ncclCommAbort(void* handle) {
  (*static_cast<std::shared_ptr<Group>*>(handle))->given_up = true;
  return NcclSuccess;
}

// NCCL itself would wait for ever while a recording holds a call of the group.
DRIVER_API ncclCommDestroy(void* handle) {
  auto* group = static_cast<std::shared_ptr<Group>*>(handle);
  const bool is_held = group->use_count() > 1;
  delete group;
  return is_held ? NcclInvalidArgument : NcclSuccess;
}
