// Exchanges between two processes, which are this one and a copy of it.
#include "testing.h"

#include <functional>
#include <sys/wait.h>
#include <unistd.h>

using namespace testing;

namespace {

constexpr int FLOAT32 = 7, INT32 = 2, AVERAGE = 4, SUM = 0, MAXIMUM = 2;
constexpr int INTERNAL_ERROR = 3, INVALID_ARGUMENT = 4;

// More than a slot of the shared memory holds.
constexpr size_t MANY = 70000;

void* pointer(const DeviceArray<>& array) { return reinterpret_cast<void*>(array.address()); }

// Runs both ranks' part; the second in a child, whose failure is this test's.
void both(const std::function<void(void* group, int rank)>& part) {
  UniqueId id;
  EXPECT(ncclGetUniqueId(&id) == 0);
  const pid_t child = fork();
  const int rank = child == 0 ? 1 : 0;
  alarm(60);  // A process that has failed leaves the other one waiting.
  bool failed = false;
  try {
    void* group;
    EXPECT(ncclCommInitRank(&group, 2, id, rank) == 0);
    part(group, rank);
    EXPECT(ncclCommDestroy(group) == 0);
  } catch (const std::exception&) {
    failed = true;
  }
  if (child == 0) _exit(failed ? 1 : 0);
  int status = 0;
  EXPECT(waitpid(child, &status, 0) == child);
  alarm(0);
  EXPECT(!failed && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

TEST(nccl_processes_average_and_gather) {
  both([](void* group, int rank) {
    std::vector<float> mine(MANY);
    for (size_t i = 0; i < MANY; i++) mine[i] = static_cast<float>(rank + 1) * static_cast<float>(i % 1000);
    DeviceArray<> values(mine), all(2 * MANY);
    EXPECT(ncclAllGather(pointer(values), pointer(all), MANY, FLOAT32, group, nullptr) == 0);
    EXPECT(ncclAllReduce(pointer(values), pointer(values), MANY, FLOAT32, AVERAGE, group, nullptr) == 0);
    const auto average = values.read(), gathered = all.read();
    for (size_t i = 0; i < MANY; i++) {
      const float one = static_cast<float>(i % 1000);
      EXPECT(average[i] == 1.5f * one && gathered[i] == one && gathered[MANY + i] == 2.0f * one);
    }
  });
}

TEST(nccl_different_calls_fail) {
  both([](void* group, int rank) {
    DeviceArray<> values(std::vector<float>(8, 1.0f));
    EXPECT(ncclAllReduce(pointer(values), pointer(values), rank == 0 ? 8 : 7, FLOAT32, SUM, group, nullptr) == INTERNAL_ERROR);
    int status = 0;
    EXPECT(ncclCommGetAsyncError(group, &status) == 0 && status == INTERNAL_ERROR);
  });
}

TEST(nccl_refuses_what_it_does_not_know) {
  UniqueId id;
  void* group;
  EXPECT(ncclGetUniqueId(&id) == 0);
  EXPECT(ncclCommInitRank(&group, 1, id, 1) == INVALID_ARGUMENT);
  EXPECT(ncclCommInitRank(&group, 1, id, 0) == 0);
  DeviceArray<> values(4);
  EXPECT(ncclAllReduce(pointer(values), pointer(values), 4, INT32, SUM, group, nullptr) == INVALID_ARGUMENT);
  EXPECT(ncclAllReduce(pointer(values), pointer(values), 4, FLOAT32, MAXIMUM, group, nullptr) == INVALID_ARGUMENT);
  EXPECT(ncclAllReduce(pointer(values), pointer(values), 5, FLOAT32, SUM, group, nullptr) == INVALID_ARGUMENT);
  EXPECT(ncclCommDestroy(group) == 0);
}
