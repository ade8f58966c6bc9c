#include "recorded_launch.h"

#include <fstream>
#include <stdexcept>

namespace emulator {
namespace {

constexpr uint64_t MAGIC = 0x31434e55414c4b53;  // "SKLAUNC1".
constexpr uint64_t MOST_BYTES = 1ull << 30;

template <typename T>
void put(std::ostream& out, const T& value) {
  out.write(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T get(std::istream& in) {
  T value;
  if (!in.read(reinterpret_cast<char*>(&value), sizeof value)) throw std::runtime_error("a recorded launch ends early");
  return value;
}

template <typename Bytes>
void put_bytes(std::ostream& out, const Bytes& bytes) {
  put<uint64_t>(out, bytes.size());
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

template <typename Bytes>
Bytes get_bytes(std::istream& in) {
  const auto count = get<uint64_t>(in);
  if (count > MOST_BYTES) throw std::runtime_error("a recorded launch has an impossible size");
  Bytes bytes(count, 0);
  if (!in.read(reinterpret_cast<char*>(&bytes[0]), static_cast<std::streamsize>(count))) {
    throw std::runtime_error("a recorded launch ends early");
  }
  return bytes;
}

}  // namespace

void write_recorded(const RecordedLaunch& launch, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  put(out, MAGIC);
  put_bytes(out, launch.kernel);
  put(out, launch.sizes);
  put<uint64_t>(out, launch.regions.size());
  for (const auto& region : launch.regions) put_bytes(out, region);
  put<uint64_t>(out, launch.relocations.size());
  for (const Relocation& relocation : launch.relocations) put(out, relocation);
}

RecordedLaunch read_recorded(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || get<uint64_t>(in) != MAGIC) throw std::runtime_error(path + " is not a recorded launch");
  RecordedLaunch launch;
  launch.kernel = get_bytes<std::string>(in);
  for (uint32_t& size : launch.sizes) size = get<uint32_t>(in);
  for (auto count = get<uint64_t>(in); count > 0; count--) launch.regions.push_back(get_bytes<std::vector<unsigned char>>(in));
  for (auto count = get<uint64_t>(in); count > 0; count--) launch.relocations.push_back(get<Relocation>(in));
  return launch;
}

}  // namespace emulator
