// Streams, events, captured graphs, host functions.
#include "driver_api.h"

using namespace emulator;

namespace {

constexpr unsigned EVENT_DISABLE_TIMING = 2;

using EventHandle = std::shared_ptr<Event>;

EventHandle& event_of(void* handle) { return *static_cast<EventHandle*>(handle); }

}  // namespace

DRIVER_API cuStreamCreate(void** stream, unsigned) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  *stream = create_stream();
  return Success;
}

DRIVER_API cuStreamDestroy_v2(void* stream) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  return destroy_stream(static_cast<Stream*>(stream));
}

DRIVER_API cuStreamSynchronize(void* stream) {
  return on_stream(stream, [](Stream& each) { return each.finish(); });
}

// Work moves on while the caller polls: a query of a lazy stream runs it, and the next one finds it done.
DRIVER_API cuStreamQuery(void* stream) {
  return on_stream(stream, [](Stream& each) {
    if (each.idle()) return Success;
    Status status = each.finish();
    return status != Success ? status : NotReady;
  });
}

DRIVER_API cuStreamWaitEvent(void* stream, void* event, unsigned) {
  return on_stream(stream, [=](Stream& each) { return each.wait(event_of(event)); });
}

DRIVER_API cuStreamBeginCapture_v2(void* stream, int) {
  return on_stream(stream, [](Stream& each) { return each.begin_capture(); });
}

DRIVER_API cuStreamEndCapture(void* stream, void** graph) {
  return on_stream(stream, [=](Stream& each) {
    Graph* captured = nullptr;
    Status status = each.end_capture(&captured);
    *graph = captured;
    return status;
  });
}

// An executable graph is a copy: destroying the graph does not matter to it.
DRIVER_API cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  *executable = new Graph(*static_cast<Graph*>(graph));
  return Success;
}

DRIVER_API cuGraphLaunch(void* executable, void* stream) {
  return on_stream(stream, [=](Stream& each) {
    for (const Operation& operation : static_cast<Graph*>(executable)->operations) {
      Status status = each.submit(operation);
      if (status != Success) return status;
    }
    return Success;
  });
}

DRIVER_API cuGraphExecDestroy(void* executable) {
  delete static_cast<Graph*>(executable);
  return Success;
}

DRIVER_API cuGraphDestroy(void* graph) {
  delete static_cast<Graph*>(graph);
  return Success;
}

DRIVER_API cuEventCreate(void** event, unsigned flags) {
  auto* handle = new EventHandle(std::make_shared<Event>());
  (*handle)->timing = (flags & EVENT_DISABLE_TIMING) == 0;
  *event = handle;
  return Success;
}

DRIVER_API cuEventDestroy_v2(void* event) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  delete static_cast<EventHandle*>(event);
  return Success;
}

DRIVER_API cuEventRecord(void* event, void* stream) {
  return on_stream(stream, [=](Stream& each) { return each.record(event_of(event)); });
}

DRIVER_API cuEventSynchronize(void* event) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  return event_of(event)->finish(event_of(event)->recorded);
}

DRIVER_API cuEventQuery(void* event) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  Event& each = *event_of(event);
  if (each.reached >= each.recorded) return Success;
  Status status = each.finish(each.recorded);
  return status != Success ? status : NotReady;
}

DRIVER_API cuEventElapsedTime(float* milliseconds, void* start, void* end) {
  std::lock_guard<std::recursive_mutex> hold(stream_lock());
  const Event &from = *event_of(start), &to = *event_of(end);
  if (!from.timing || !to.timing) return fail(InvalidHandle, "the event does not record the time");
  if (from.recorded == 0 || to.recorded == 0) return fail(InvalidHandle, "the event was not recorded");
  if (from.reached < from.recorded || to.reached < to.recorded) return fail(NotReady, "the event is not reached yet");
  *milliseconds = static_cast<float>((to.reached_at - from.reached_at) * 1000.0);
  return Success;
}

DRIVER_API cuLaunchHostFunc(void* stream, void (*function)(void*), void* data) {
  return on_stream(stream, [=](Stream& each) { return each.submit(HostCall{function, data}); });
}
