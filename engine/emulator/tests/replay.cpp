#include "replay.h"

#include "kernel_registry.h"
#include "recorded_launch.h"
#include "testing.h"

#include <algorithm>
#include <errno.h>
#include <filesystem>
#include <memory>
#include <set>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace testing {
namespace {

constexpr int ORDERS = 3;
constexpr int FAILED_LAUNCHES = 3;  // Exit status of a process that replayed its share, but not without failures.
constexpr int MAX_DYNAMIC_SHARED = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.

void replay(const emulator::RecordedLaunch& recorded) {
  auto regions = recorded.regions;
  std::vector<std::unique_ptr<DeviceArray<unsigned char>>> memory(regions.size());
  for (size_t i = 1; i < regions.size(); i++) memory[i] = std::make_unique<DeviceArray<unsigned char>>(regions[i].size());
  for (const auto& each : recorded.relocations) {
    const uint64_t address = memory.at(each.target_region)->address() + each.target_offset;
    memcpy(regions.at(each.region).data() + each.offset, &address, sizeof address);
  }
  for (size_t i = 1; i < regions.size(); i++) memory[i]->write(regions[i]);

  void* kernel = function(recorded.kernel.c_str());
  std::vector<void*> arguments;
  size_t position = 0, offset, bytes;
  while (cuFuncGetParamInfo(kernel, arguments.size(), &offset, &bytes) == 0) {
    arguments.push_back(regions[0].data() + position);
    position += (bytes + emulator::PARAMETER_ALIGNMENT - 1) / emulator::PARAMETER_ALIGNMENT * emulator::PARAMETER_ALIGNMENT;
  }
  if (position != regions[0].size()) fail(recorded.kernel.c_str(), 0, "the kernel's parameters have changed since it was recorded");
  const uint32_t* size = recorded.sizes;
  CHECK(cuFuncSetAttribute(kernel, MAX_DYNAMIC_SHARED, static_cast<int>(std::max(size[6], 48u * 1024))));
  CHECK(cuLaunchKernel(kernel, size[0], size[1], size[2], size[3], size[4], size[5], size[6], nullptr, arguments.data(), nullptr));
}

// A kernel without a launch is a kernel that nobody looked at. Those of the emulator's own tests have theirs there.
int report_unseen(const std::set<std::string>& seen) {
  int unseen = 0;
  for (const auto* kernel : emulator::all_kernels()) {
    const std::string name = kernel->entry.name;
    if (name.rfind("emulator_test_", 0) == 0 || seen.count(name)) continue;
    printf("FAILED  no recorded launch of %s\n", name.c_str());
    unseen++;
  }
  printf("%zu kernels, %d without a launch\n", seen.size(), unseen);
  return unseen;
}

// Every `shares`th launch from `share` on; writes the names of their kernels to `seen`, a line each.
int replay_share(const std::vector<std::string>& paths, size_t share, size_t shares, FILE* seen) {
  int failures = 0;
  for (size_t i = share; i < paths.size(); i += shares) {
    printf("replay %zu  %s\n", share, paths[i].c_str());
    fflush(stdout);  // A sanitizer may end the process: the last line of its share names the launch.
    try {
      const auto recorded = emulator::read_recorded(paths[i]);
      fprintf(seen, "%s\n", recorded.kernel.c_str());
      for (int order = 0; order < ORDERS; order++) {
        Switch chosen("order", order, 0);
        replay(recorded);
      }
    } catch (const std::exception& failure) {
      printf("FAILED  %s: %s\n", paths[i].c_str(), failure.what());
      failures++;
    }
  }
  return failures;
}

// A process for each processor: the emulator runs one launch after the other.
pid_t start_share(const std::vector<std::string>& paths, size_t share, size_t shares, const int (&channel)[2]) {
  const pid_t process = fork();
  if (process < 0) fail("fork", 0, strerror(errno));
  if (process > 0) return process;
  close(channel[0]);
  FILE* seen = fdopen(channel[1], "w");
  if (seen == nullptr) fail("fdopen", 0, strerror(errno));
  setvbuf(seen, nullptr, _IOLBF, 0);  // Whole lines, between those of the others.
  exit(replay_share(paths, share, shares, seen) == 0 ? 0 : FAILED_LAUNCHES);
}

// Whether a process came to the end of its share. A sanitizer ends it before.
bool came_to_end(pid_t process, size_t share, int& failures) {
  int status = 0;
  pid_t ended;
  while ((ended = waitpid(process, &status, 0)) < 0 && errno == EINTR) {
  }
  if (ended == process && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  failures++;
  if (ended == process && WIFEXITED(status) && WEXITSTATUS(status) == FAILED_LAUNCHES) return true;
  printf("FAILED  process %zu ended early, at the last launch that its lines name; those after it were not replayed\n", share);
  return false;
}

}  // namespace

int replay_folder(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".launch") paths.push_back(file.path().string());
  }
  std::sort(paths.begin(), paths.end());
  fflush(stdout);
  int channel[2];
  if (pipe(channel) != 0) fail("pipe", 0, strerror(errno));
  std::vector<pid_t> processes;
  const size_t shares = std::max<size_t>(1, std::min<size_t>(paths.size(), std::thread::hardware_concurrency()));
  for (size_t share = 0; share < shares; share++) processes.push_back(start_share(paths, share, shares, channel));
  close(channel[1]);
  std::set<std::string> seen;
  FILE* names = fdopen(channel[0], "r");
  if (names == nullptr) fail("fdopen", 0, strerror(errno));
  for (char line[256]; fgets(line, sizeof line, names) != nullptr;) seen.insert(std::string(line, strcspn(line, "\n")));
  fclose(names);
  int failures = 0;
  bool complete = true;
  for (size_t share = 0; share < shares; share++) complete = came_to_end(processes[share], share, failures) && complete;
  printf("%zu launches in %zu processes\n", paths.size(), shares);
  return failures + (complete ? report_unseen(seen) : 0);
}

}  // namespace testing
