// Streams, events, graphs.
#include "testing.h"

using namespace testing;

namespace {

class StreamHandle {
 public:
  StreamHandle() { CHECK(cuStreamCreate(&value, 1)); }
  ~StreamHandle() { cuStreamDestroy_v2(value); }
  void* value = nullptr;
};

class EventHandle {
 public:
  EventHandle() { CHECK(cuEventCreate(&value, 0)); }
  ~EventHandle() { cuEventDestroy_v2(value); }
  void* value = nullptr;
};

void add_on(void* stream, const DeviceArray<>& a, const DeviceArray<>& b, const DeviceArray<>& sum) {
  Shape shape{1, 32};
  shape.stream = stream;
  launch("emulator_test_vector_add", shape, a.address(), b.address(), sum.address(), 10);
}

}  // namespace

TEST(lazy_streams_wait_for_somebody_to_wait) {
  Switch lazy("lazy_streams", 1, 0);
  StreamHandle stream;
  DeviceArray<> a(10), b(10);
  float *pinned = nullptr, *result = nullptr;
  CHECK(cuMemHostAlloc(reinterpret_cast<void**>(&pinned), 40, 0));
  CHECK(cuMemHostAlloc(reinterpret_cast<void**>(&result), 40, 0));
  for (int i = 0; i < 10; i++) pinned[i] = 1.0f, result[i] = 0.0f;
  std::vector<float> pageable(10, 5.0f);
  CHECK(cuMemcpyHtoDAsync_v2(a.address(), pinned, 40, stream.value));
  CHECK(cuMemcpyHtoDAsync_v2(b.address(), pageable.data(), 40, stream.value));
  add_on(stream.value, a, b, b);
  CHECK(cuMemcpyDtoHAsync_v2(result, b.address(), 40, stream.value));
  EXPECT(result[0] == 0.0f);
  // Pinned memory that is overwritten too early is a fault that shows; pageable memory was taken at the call.
  for (int i = 0; i < 10; i++) pinned[i] = 2.0f, pageable[i] = 9.0f;
  EXPECT(cuStreamQuery(stream.value) == 600);
  EXPECT(cuStreamQuery(stream.value) == 0);
  EXPECT(result[0] == 7.0f);
  CHECK(cuMemFreeHost(pinned));
  CHECK(cuMemFreeHost(result));
}

TEST(failures_of_lazy_streams_surface_at_the_wait) {
  Switch lazy("lazy_streams", 1, 0);
  StreamHandle stream;
  DeviceArray<> out(64);
  Shape shape{1, 64};
  shape.stream = stream.value;
  EXPECT(try_launch("emulator_test_divergent_barrier", shape, out.address(), 3) == 0);
  EXPECT(cuStreamSynchronize(stream.value) == 719);
}

TEST(events_order_streams) {
  Switch lazy("lazy_streams", 1, 0);
  StreamHandle producer, consumer;
  EventHandle ready;
  DeviceArray<> a(std::vector<float>(10, 1.0f)), b(10);
  CHECK(cuCtxSynchronize());
  CHECK(cuMemcpyDtoDAsync_v2(b.address(), a.address(), 40, producer.value));
  CHECK(cuEventRecord(ready.value, producer.value));
  CHECK(cuStreamWaitEvent(consumer.value, ready.value, 0));
  add_on(consumer.value, a, b, a);
  EXPECT(a.read(consumer.value)[9] == 2.0f);
  EXPECT(cuEventQuery(ready.value) == 0);
}

TEST(events_measure_time) {
  StreamHandle stream;
  EventHandle start, end;
  float milliseconds = -1.0f;
  EXPECT(cuEventElapsedTime(&milliseconds, start.value, end.value) == 400);
  CHECK(cuEventRecord(start.value, stream.value));
  CHECK(cuEventRecord(end.value, stream.value));
  CHECK(cuEventSynchronize(end.value));
  CHECK(cuEventElapsedTime(&milliseconds, start.value, end.value));
  EXPECT(milliseconds >= 0.0f);
}

TEST(what_a_capturing_thread_may_not_do_breaks_the_capture) {
  StreamHandle stream;
  uint64_t address = 0;
  void* graph = nullptr;
  CHECK(cuStreamBeginCapture_v2(stream.value, 1));
  EXPECT(cuStreamSynchronize(stream.value) == 900);
  EXPECT(cuStreamEndCapture(stream.value, &graph) == 901 && graph == nullptr);
  CHECK(cuStreamBeginCapture_v2(stream.value, 1));
  EXPECT(cuMemAlloc_v2(&address, 4) == 900);
  EXPECT(cuStreamEndCapture(stream.value, &graph) == 901);
  CHECK(cuMemAlloc_v2(&address, 4));
  CHECK(cuMemFree_v2(address));
}

TEST(graphs_replay_launches_copies_and_fills) {
  StreamHandle stream;
  DeviceArray<> a(std::vector<float>(10, 1.0f)), sum(std::vector<float>(10, 5.0f)), copy(10);
  void *graph = nullptr, *executable = nullptr;
  CHECK(cuStreamBeginCapture_v2(stream.value, 1));
  add_on(stream.value, a, sum, sum);
  CHECK(cuMemcpyDtoDAsync_v2(copy.address(), sum.address(), 40, stream.value));
  CHECK(cuMemsetD8Async(copy.address(), 0, 4, stream.value));
  CHECK(cuStreamEndCapture(stream.value, &graph));
  EXPECT(sum.read()[0] == 5.0f);
  CHECK(cuGraphInstantiateWithFlags(&executable, graph, 0));
  CHECK(cuGraphDestroy(graph));
  for (int replay = 1; replay <= 2; replay++) {
    CHECK(cuGraphLaunch(executable, stream.value));
    EXPECT(sum.read(stream.value)[3] == 5.0f + static_cast<float>(replay));
    EXPECT(copy.read(stream.value)[3] == 5.0f + static_cast<float>(replay));
    EXPECT(copy.read(stream.value)[0] == 0.0f);
  }
  CHECK(cuGraphExecDestroy(executable));
}

TEST(host_functions_run_in_order) {
  Switch lazy("lazy_streams", 1, 0);
  StreamHandle stream;
  int calls = 0;
  CHECK(cuLaunchHostFunc(stream.value, [](void* data) { ++*static_cast<int*>(data); }, &calls));
  EXPECT(calls == 0);
  CHECK(cuStreamSynchronize(stream.value));
  EXPECT(calls == 1);
}
