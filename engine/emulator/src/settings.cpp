#include "settings.h"

#include <string.h>

namespace emulator {

Settings settings;

namespace {

struct Switch {
  const char* name;
  std::atomic<int>* value;
  int least, most;
};

const Switch switches[] = {
    {"order", &settings.order, 0, 2},
    {"seed", &settings.seed, 0, 0x7fffffff},
    {"workers", &settings.workers, 1, 256},
    {"lazy_streams", &settings.lazy_streams, 0, 1},
    {"strict_memory", &settings.strict_memory, 0, 1},
    {"memory_mib", &settings.memory_mib, 1, 1 << 20},
};

}  // namespace

bool configure(const char* name, int value) {
  for (const Switch& each : switches) {
    if (strcmp(each.name, name) != 0) continue;
    if (value < each.least || value > each.most) return false;
    *each.value = value;
    return true;
  }
  return false;
}

}  // namespace emulator
