// Streams, events and graphs. Work runs when it is queued or, with lazy streams, when somebody waits for it.
#pragma once

#include "operation.h"

#include <deque>
#include <mutex>

namespace emulator {

class Stream;

// Guards all streams and events. Recursive: finishing one stream may have to run others that it waits for.
std::recursive_mutex& stream_lock();

struct Event {
  Stream* stream = nullptr;    // Where it was recorded last; null where that stream is gone, and with it all its work.
  uint64_t recorded = 0;       // How often it was recorded.
  uint64_t reached = 0;        // The newest record that was run.
  double reached_at = 0;       // Seconds.
  bool timing = false;

  void reach(uint64_t number);
  // Runs the work up to that record.
  Status finish(uint64_t number);
};

struct Graph {
  std::vector<Operation> operations;
};

// A call that the driver refuses to a thread with a capture under way (allocating, freeing, waiting): the captures are broken then.
Status refused_while_capturing(const std::string& what);

class Stream {
 public:
  ~Stream();

  Status submit(Operation operation);
  Status finish();
  // Runs queued work until the event's record is done.
  Status finish(const Event& event, uint64_t number);
  bool idle() const { return queue_.empty(); }
  bool lazy() const;

  bool capturing() const { return capture_ != nullptr; }
  void break_capture() { broken_ = true; }
  Status begin_capture();
  Status end_capture(Graph** graph);

  Status record(const std::shared_ptr<Event>& event);
  Status wait(const std::shared_ptr<Event>& event);

 private:
  Status run_next();

  std::deque<Operation> queue_;
  std::unique_ptr<Graph> capture_;
  bool broken_ = false;
  std::vector<std::weak_ptr<Event>> recorded_;
};

Stream* create_stream();
Status destroy_stream(Stream* stream);
// The stream of a handle: null is the default stream. Null result: no such stream.
Stream* stream_of(void* handle);
Status finish_all_streams();

}  // namespace emulator
