#include "launch_recorder.h"

#include "device_memory.h"
#include "recorded_launch.h"

#include <map>
#include <set>
#include <stdlib.h>
#include <string.h>

namespace emulator {
namespace {

constexpr size_t MOST_LAUNCHES = 8;         // Of one kernel.
constexpr size_t MOST_BYTES = 16ull << 20;  // Of one recording.

// Parameters and allocations become regions; words in them that are addresses of device memory become relocations.
class Collector {
 public:
  explicit Collector(RecordedLaunch& out) : out_(out) {}

  bool collect(const std::vector<unsigned char>& parameters) {
    out_.regions.push_back(parameters);
    for (size_t region = 0; region < out_.regions.size(); region++) {
      if (!scan(region)) return false;
    }
    return true;
  }

 private:
  bool scan(size_t region) {
    for (size_t offset = 0; offset + sizeof(uint64_t) <= out_.regions[region].size(); offset += sizeof(uint64_t)) {
      uint64_t word, start;
      size_t bytes;
      memcpy(&word, out_.regions[region].data() + offset, sizeof word);
      if (!find_device_allocation(word, &start, &bytes)) continue;
      auto known = numbers_.find(start);
      if (known == numbers_.end()) {
        total_ += bytes;
        if (total_ > MOST_BYTES) return false;
        known = numbers_.emplace(start, out_.regions.size()).first;
        const auto* data = reinterpret_cast<const unsigned char*>(start);
        out_.regions.emplace_back(data, data + bytes);
      }
      out_.relocations.push_back({region, offset, known->second, word - start});
    }
    return true;
  }

  RecordedLaunch& out_;
  std::map<uint64_t, size_t> numbers_;
  size_t total_ = 0;
};

}  // namespace

namespace {

// Shape and parameters without addresses: launches that differ in nothing else are recorded once.
std::string signature(const RecordedLaunch& recorded) {
  auto parameters = recorded.regions[0];
  for (const Relocation& relocation : recorded.relocations) {
    if (relocation.region == 0) memset(parameters.data() + relocation.offset, 0, sizeof(uint64_t));
  }
  std::string bytes(reinterpret_cast<const char*>(recorded.sizes), sizeof recorded.sizes);
  return bytes.append(parameters.begin(), parameters.end());
}

}  // namespace

void record_launch(const Kernel& kernel, const LaunchShape& shape, void** arguments) {
  static const char* folder = getenv("SPK_EMULATOR_RECORD");
  if (folder == nullptr) return;
  static std::map<std::string, std::set<std::string>> recorded_so_far;
  auto& signatures = recorded_so_far[kernel.entry.name];
  if (signatures.size() >= MOST_LAUNCHES) return;
  RecordedLaunch recorded;
  recorded.kernel = kernel.entry.name;
  const uint32_t sizes[] = {shape.grid.x, shape.grid.y, shape.grid.z, shape.block.x, shape.block.y, shape.block.z, shape.dynamic_bytes};
  memcpy(recorded.sizes, sizes, sizeof sizes);
  if (!Collector(recorded).collect(make_launch(kernel, shape, arguments).parameters)) return;
  if (!signatures.insert(signature(recorded)).second) return;
  write_recorded(recorded, std::string(folder) + "/" + recorded.kernel + "-" + std::to_string(signatures.size()) + ".launch");
}

}  // namespace emulator
