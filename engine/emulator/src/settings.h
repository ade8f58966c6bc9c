// Switches of the emulator, set through spkEmulatorConfigure.
#pragma once

#include <atomic>

namespace emulator {

enum class ThreadOrder : int { Ascending = 0, Descending = 1, Shuffled = 2 };

struct Settings {
  std::atomic<int> order{0};          // A ThreadOrder: of the blocks of a grid and of the threads of a block.
  std::atomic<int> seed{1};           // Of the shuffled order.
  std::atomic<int> workers{1};        // Operating system threads over the blocks of a launch.
  std::atomic<int> lazy_streams{0};   // Queue work until somebody waits for it.
  std::atomic<int> strict_memory{0};  // Device memory is unreadable outside launches and copies.
  std::atomic<int> memory_mib{4096};  // Size of the device's memory.
  std::atomic<int> capability{90};    // Compute capability, ten times the major number and the minor one.
};

extern Settings settings;

// Sets a switch by name; false where there is none of that name or the value is out of its range.
bool configure(const char* name, int value);

}  // namespace emulator
