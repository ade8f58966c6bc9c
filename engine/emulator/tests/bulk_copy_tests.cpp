// Tensor maps, bulk copies and mbarriers: what they do, what the driver refuses, and the faults that the emulator sees in kernels.
#include "testing.h"

#include <algorithm>
#include <stdint.h>
#include <string.h>

using namespace testing;

namespace {

constexpr int F32 = 7, BF16 = 9, INT32 = 3;
constexpr int NO_SWIZZLE = 0, SWIZZLE_64 = 2, SWIZZLE_128 = 3;
constexpr int WIDTH = 40, ROWS = 6, OUTER = 3, BOX_WIDTH = 32, BOX_ROWS = 4;

struct alignas(64) Map {
  unsigned char bytes[128];
};

// What a map is made from; a test changes one thing.
struct Description {
  int type = F32, interleave = 0, swizzle = SWIZZLE_128, promotion = 2, fill = 0;
  unsigned rank = 3;
  uint64_t address = 0;
  uint64_t extents[5] = {WIDTH, ROWS, OUTER, 1, 1};
  uint64_t strides[4] = {WIDTH * 4, WIDTH * ROWS * 4, 0, 0};
  unsigned box[5] = {BOX_WIDTH, BOX_ROWS, 1, 1, 1}, steps[5] = {1, 1, 1, 1, 1};

  int encode(void* map) const {
    return cuTensorMapEncodeTiled(map, type, rank, reinterpret_cast<void*>(address), extents, strides, box, steps, interleave, swizzle, promotion, fill);
  }
};

// Why the driver refuses a description.
std::string refusal(const Description& description) {
  Map map;
  const int status = description.encode(&map);
  return status == 0 ? "" : failure_text(status);
}

bool says(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

std::vector<float> counted() {
  std::vector<float> values(WIDTH * ROWS * OUTER);
  for (size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(i + 1);
  return values;
}

unsigned box_bytes(const Description& description) { return description.box[0] * description.box[1] * 4; }

int try_copy(const char* kind, const Description& description, int x, int y, int z, const DeviceArray<>& out) {
  Map map;
  CHECK(description.encode(&map));
  const unsigned bytes = box_bytes(description);
  return try_launch((std::string("emulator_test_bulk_copy_") + kind).c_str(), {1, 2, 1, 1, 1, 1, bytes + 1024}, map, x, y, z, bytes,
                    static_cast<int>(bytes / 4), out.address());
}

// The box as it has to lie in shared memory.
std::vector<float> expected(const Description& description, int x, int y, int z) {
  std::vector<float> box(box_bytes(description) / 4);
  for (int i = 0; i < static_cast<int>(box.size()); i++) {
    const int line = i / static_cast<int>(description.box[0]), column = i % static_cast<int>(description.box[0]);
    const int at_x = x + column, at_y = y + line;
    const bool inside = at_x >= 0 && at_x < WIDTH && at_y >= 0 && at_y < ROWS && z >= 0 && z < OUTER;
    const int unit = description.swizzle == NO_SWIZZLE ? column / 4 : (column / 4) ^ (line % 8);
    box[line * static_cast<int>(description.box[0]) + unit * 4 + column % 4] = inside ? static_cast<float>((z * ROWS + at_y) * WIDTH + at_x + 1) : 0.0f;
  }
  return box;
}

std::string copy_fault(const char* kind) {
  Description description;
  DeviceArray<> tensor(counted()), out(BOX_WIDTH * BOX_ROWS);
  description.address = tensor.address();
  const int status = try_copy(kind, description, 0, 0, 0, out);
  return status == 0 ? "" : failure_text(status);
}

}  // namespace

TEST(bulk_copies_bring_boxes) {
  DeviceArray<> tensor(counted());
  for (int order = 0; order < 3; order++) {
    Switch chosen("order", order, 0);
    for (int swizzle : {NO_SWIZZLE, SWIZZLE_128}) {
      Description description;
      description.address = tensor.address();
      description.swizzle = swizzle;
      // Inside; past the end of lines, of rows, of planes; before the start.
      const int places[][3] = {{0, 0, 0}, {4, 1, 2}, {32, 2, 1}, {0, 4, 0}, {-3, -2, 1}, {0, 0, 3}, {0, 0, -1}};
      for (const auto& at : places) {
        DeviceArray<> out(BOX_WIDTH * BOX_ROWS);
        CHECK(try_copy("plain", description, at[0], at[1], at[2], out));
        EXPECT(difference(out.read(), expected(description, at[0], at[1], at[2])) == 0.0);
      }
    }
  }
}

// Of 2 maps of 3 rows and 5 columns: 2 columns, 3 apart, of 2 rows, 2 apart, of both maps.
TEST(bulk_copies_step_through_four_dimensions) {
  constexpr int COLUMNS = 5, LINES = 3, MAPS = 2, COUNTS[] = {2, 2, 2};
  constexpr unsigned STEPS[] = {3, 2, 1}, BYTES = BOX_WIDTH * 4 * 8;
  std::vector<float> values(WIDTH * COLUMNS * LINES * MAPS);
  for (size_t i = 0; i < values.size(); i++) values[i] = static_cast<float>(i + 1);
  DeviceArray<> tensor(values);
  Description description;
  description.address = tensor.address();
  description.rank = 4;
  const uint64_t extents[] = {WIDTH, COLUMNS, LINES, MAPS};
  uint64_t bytes = 4;
  for (int i = 0; i < 4; i++) {
    description.extents[i] = extents[i];
    if (i < 3) description.strides[i] = bytes *= extents[i];
    if (i > 0) description.box[i] = COUNTS[i - 1] * STEPS[i - 1], description.steps[i] = STEPS[i - 1];
  }
  for (int order = 0; order < 3; order++) {
    Switch chosen("order", order, 0);
    // Inside; past the ends, where a step passes the last column and row; before the first.
    const int places[][4] = {{0, 1, 0, 0}, {8, 3, 1, 1}, {16, -3, -2, -1}, {0, -1, -1, 0}, {0, 5, 0, 0}};
    for (const auto& at : places) {
      // A box that covers a column less has as many.
      for (unsigned less = 0; less < 3; less++) {
        description.box[1] = COUNTS[0] * STEPS[0] - less;
        Map map;
        CHECK(description.encode(&map));
        DeviceArray<> out(BYTES / 4);
        CHECK(try_launch("emulator_test_bulk_copy_of_maps", {1, 2, 1, 1, 1, 1, BYTES + 1024}, map, at[0], at[1], at[2], at[3], BYTES, out.address()));
        std::vector<float> want(BYTES / 4);
        for (int i = 0; i < static_cast<int>(BYTES / 4); i++) {
          const int line = i / BOX_WIDTH, x = at[0] + i % BOX_WIDTH, y = at[1] + line % 2 * 3, z = at[2] + line / 2 % 2 * 2, w = at[3] + line / 4;
          const bool inside = x < WIDTH && y >= 0 && y < COLUMNS && z >= 0 && z < LINES && w >= 0 && w < MAPS;
          const int unit = (i % BOX_WIDTH / 4) ^ (line % 8);
          want[line * BOX_WIDTH + unit * 4 + i % 4] = inside ? static_cast<float>(((w * LINES + z) * COLUMNS + y) * WIDTH + x + 1) : 0.0f;
        }
        EXPECT(difference(out.read(), want) == 0.0);
      }
    }
  }
  EXPECT(try_copy("plain", description, 0, 0, 0, tensor) != 0);
  EXPECT(says(failure_text(719), "map of a tensor of its dimensions"));
}

TEST(missing_wait_for_a_bulk_copy_shows) {
  Description description;
  DeviceArray<> tensor(counted()), out(BOX_WIDTH * BOX_ROWS);
  description.address = tensor.address();
  CHECK(try_copy("missing_wait", description, 0, 0, 0, out));
  EXPECT(difference(out.read(), expected(description, 0, 0, 0)) != 0.0);
}

TEST(a_wait_for_a_newer_copy_is_not_enough) {
  Description description;
  DeviceArray<> tensor(counted()), out(2);
  description.address = tensor.address();
  Map map;
  CHECK(description.encode(&map));
  CHECK(try_launch("emulator_test_bulk_copy_order", {1, 2, 1, 1, 1, 1, 3 * 1024}, map, box_bytes(description), out.address()));
  EXPECT(out.read()[0] != 1.0f && out.read()[1] == 1.0f);
}

TEST(an_arrival_too_early_shows) {
  Switch descending("order", 1, 0);
  DeviceArray<> out(1);
  launch("emulator_test_mbarrier_early_arrival", {1, 2}, out.address());
  EXPECT(out.read()[0] == 1.0f);
}

TEST(missing_arrivals_and_bytes_are_deadlocks) {
  for (int order = 0; order < 3; order++) {
    Switch chosen("order", order, 0);
    const std::string fault = copy_fault("missing_arrival");
    EXPECT(says(fault, "deadlock") && says(fault, "1 threads at an mbarrier") && says(fault, "lacks 1 arrivals and -512 bytes"));
  }
  Switch at_once("order", 1, 0);
  EXPECT(says(copy_fault("missing_expectation"), "lacks 0 arrivals and -512 bytes"));
  DeviceArray<int> out(3);
  EXPECT(try_launch("emulator_test_mbarrier_phases", {1, 1}, out.address()) != 0);
  EXPECT(says(failure_text(719), "lacks 1 arrivals and 0 bytes"));
  EXPECT((out.read() == std::vector<int>{0, 1, 2}));
}

TEST(faults_of_bulk_copies_are_named) {
  EXPECT(says(copy_fault("missing_announcement"), "not announced"));
  EXPECT(says(copy_fault("misplaced"), "multiple of 128 bytes, or with the swizzle of 1024"));
  EXPECT(says(copy_fault("outside"), "beyond the dynamic shared memory"));
  EXPECT(says(copy_fault("unmade"), "was not made"));
  EXPECT(says(copy_fault("missing_expectation"), "ended while a bulk copy"));
  EXPECT(says(copy_fault("too_many"), "more arrivals"));
  Description description;
  DeviceArray<> tensor(counted()), out(BOX_WIDTH * BOX_ROWS);
  description.address = tensor.address();
  description.extents[2] = 1000;
  EXPECT(try_copy("plain", description, 0, 0, 0, out) != 0);
  EXPECT(says(failure_text(719), "not inside one allocation"));
}

TEST(tensor_maps_are_refused_as_documented) {
  Description good;
  good.address = 0x10000;
  EXPECT(refusal(good).empty());
  auto refused = [&](const char* part, auto change) {
    Description bad = good;
    change(bad);
    EXPECT(says(refusal(bad), part));
  };
  refused("multiple of 16 bytes", [](auto& d) { d.address += 8; });
  refused("unknown type", [](auto& d) { d.type = 13; });
  refused("1 to 5 dimensions", [](auto& d) { d.rank = 6; });
  refused("1 to 5 dimensions", [](auto& d) { d.rank = 0; });
  refused("1 to 2^32 elements along dimension 1", [](auto& d) { d.extents[1] = 0; });
  refused("1 to 2^32 elements along dimension 2", [](auto& d) { d.extents[2] = (1ull << 32) + 1; });
  refused("multiples of 16 bytes below 2^40", [](auto& d) { d.strides[0] = WIDTH * 4 + 8; });
  refused("multiples of 16 bytes below 2^40", [](auto& d) { d.strides[1] = 1ull << 40; });
  refused("overlap along dimension 1", [](auto& d) { d.strides[0] = WIDTH * 4 - 16; });
  refused("no multiple of the one before", [](auto& d) { d.strides[1] += 16; });
  refused("boxes of 1 to 256 elements along dimension 1", [](auto& d) { d.box[1] = 257; });
  refused("boxes of 1 to 256 elements along dimension 0", [](auto& d) { d.box[0] = 0; });
  refused("steps of 1 to 8", [](auto& d) { d.steps[1] = 9; });
  refused("lines are multiples of 16 bytes", [](auto& d) { d.box[0] = 30; });
  refused("more than the swizzle of 128", [](auto& d) { d.box[0] = 64; });
  refused("more than the swizzle of 64", [](auto& d) { d.swizzle = SWIZZLE_64; });
  refused("unknown kind", [](auto& d) { d.swizzle = 7; });
  refused("filled with NaN", [](auto& d) { d.type = INT32, d.fill = 1; });
  Description narrow = good;
  narrow.type = BF16;
  EXPECT(refusal(narrow).empty());
  Map maps[2];
  EXPECT(good.encode(maps[0].bytes + 32) != 0);
  EXPECT(says(failure_text(1), "multiple of 64 bytes"));
  Switch capability("capability", 89, 90);
  EXPECT(says(refusal(good), "compute capability 9.0"));
}

// A map travels by value: a recorded graph holds its own.
TEST(bulk_copies_in_graphs) {
  Description description;
  DeviceArray<> tensor(counted()), out(BOX_WIDTH * BOX_ROWS);
  description.address = tensor.address();
  void *stream, *graph, *executable;
  CHECK(cuStreamCreate(&stream, 1));
  CHECK(cuStreamBeginCapture_v2(stream, 1));
  {
    Map map;
    CHECK(description.encode(&map));
    const unsigned bytes = box_bytes(description);
    launch("emulator_test_bulk_copy_plain", {1, 2, 1, 1, 1, 1, bytes + 1024, stream}, map, 4, 1, 1, bytes, static_cast<int>(bytes / 4), out.address());
    memset(&map, 0, sizeof map);
  }
  CHECK(cuStreamEndCapture(stream, &graph));
  CHECK(cuGraphInstantiateWithFlags(&executable, graph, 0));
  for (int replay = 0; replay < 2; replay++) {
    std::vector<float> values = counted();
    for (float& value : values) value += static_cast<float>(replay);
    tensor.write(values, stream);
    CHECK(cuGraphLaunch(executable, stream));
    auto want = expected(description, 4, 1, 1);
    for (float& value : want) value += value == 0.0f ? 0.0f : static_cast<float>(replay);
    EXPECT(difference(out.read(stream), want) == 0.0);
  }
  CHECK(cuGraphExecDestroy(executable));
  CHECK(cuGraphDestroy(graph));
  CHECK(cuStreamDestroy_v2(stream));
}
