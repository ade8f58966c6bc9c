#include "settings.h"

#include "sanitizer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <string>

namespace emulator {

Settings settings;

namespace {

struct Switch {
  const char* name;
  std::atomic<int>* value;
  int least, most;
};

// With AddressSanitizer, static shared arrays are those of the process.
constexpr int MOST_WORKERS = ADDRESS_SANITIZER ? 1 : 256;

const Switch switches[] = {
    {"order", &settings.order, 0, 2},
    {"seed", &settings.seed, 0, 0x7fffffff},
    {"workers", &settings.workers, 1, MOST_WORKERS},
    {"lazy_streams", &settings.lazy_streams, 0, 1},
    {"strict_memory", &settings.strict_memory, 0, 1},
    {"memory_mib", &settings.memory_mib, 1, 1 << 20},
    {"capability", &settings.capability, 80, 90},
};

// SPK_EMULATOR_LAZY_STREAMS=1 and the like, for whole test runs under a switch.
const bool environment_read = [] {
  for (const Switch& each : switches) {
    std::string variable = "SPK_EMULATOR_";
    for (const char* letter = each.name; *letter != 0; letter++) variable += static_cast<char>(toupper(*letter));
    if (const char* value = getenv(variable.c_str())) configure(each.name, atoi(value));
  }
  return true;
}();

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
