#include "stream.h"

#include "settings.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <vector>

namespace emulator {
namespace {

std::set<Stream*>& streams() {
  static auto* all = new std::set<Stream*>;
  return *all;
}

Stream* default_stream() {
  static auto* stream = new Stream;
  return stream;
}

// Streams that this thread began to capture; under stream_lock. Not thread-local: what is, counts as shared memory of kernels and is
// filled with NaN.
std::vector<Stream*>& captures_of_thread() {
  static auto* all = new std::map<std::thread::id, std::vector<Stream*>>;
  return (*all)[std::this_thread::get_id()];
}

}  // namespace

std::recursive_mutex& stream_lock() {
  static auto* lock = new std::recursive_mutex;
  return *lock;
}

void Event::reach(uint64_t number) {
  reached = number;
  reached_at = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Status Event::finish(uint64_t number) {
  if (reached >= number || stream == nullptr) return Success;
  return stream->finish(*this, number);
}

Stream::~Stream() {
  for (const auto& recorded : recorded_) {
    auto event = recorded.lock();
    if (event && event->stream == this) event->stream = nullptr;
  }
}

bool Stream::lazy() const { return settings.lazy_streams != 0; }

Status Stream::submit(Operation operation) {
  if (capture_ && broken_) return fail(StreamCaptureInvalidated, "an earlier call broke the capture");
  if (capture_) {
    capture_->operations.push_back(std::move(operation));
    return Success;
  }
  if (!lazy()) {
    // The switch may have been turned off with work still queued.
    Status status = finish();
    return status != Success ? status : run_operation(operation);
  }
  queue_.push_back(std::move(operation));
  return Success;
}

Status Stream::run_next() {
  Operation operation = std::move(queue_.front());
  queue_.pop_front();
  Status status = run_operation(operation);
  if (status != Success) queue_.clear();  // As on a device, nothing after a failed kernel runs.
  return status;
}

Status Stream::finish() {
  if (capture_) {
    broken_ = true;
    return fail(StreamCaptureUnsupported, "waiting for a stream that is capturing");
  }
  while (!queue_.empty()) {
    Status status = run_next();
    if (status != Success) return status;
  }
  return Success;
}

Status Stream::finish(const Event& event, uint64_t number) {
  while (event.reached < number && !queue_.empty()) {
    Status status = run_next();
    if (status != Success) return status;
  }
  return Success;
}

Status Stream::begin_capture() {
  if (capture_) return fail(InvalidValue, "the stream is capturing already");
  Status status = finish();
  if (status != Success) return status;
  capture_ = std::make_unique<Graph>();
  broken_ = false;
  captures_of_thread().push_back(this);
  return Success;
}

Status Stream::end_capture(Graph** graph) {
  if (!capture_) return fail(InvalidValue, "the stream is not capturing");
  auto& captures = captures_of_thread();
  captures.erase(std::remove(captures.begin(), captures.end(), this), captures.end());
  if (broken_) {
    capture_.reset();
    return fail(StreamCaptureInvalidated, "an earlier call broke the capture");
  }
  *graph = capture_.release();
  return Success;
}

Status refused_while_capturing(const std::string& what) {
  if (captures_of_thread().empty()) return Success;
  for (Stream* stream : captures_of_thread()) stream->break_capture();
  return fail(StreamCaptureUnsupported, what + " while this thread is capturing a stream");
}

Status Stream::record(const std::shared_ptr<Event>& event) {
  event->stream = this;
  const auto outdated = [&](const auto& each) { return each.expired() || each.lock() == event; };
  recorded_.erase(std::remove_if(recorded_.begin(), recorded_.end(), outdated), recorded_.end());
  recorded_.push_back(event);
  return submit(RecordEvent{event, ++event->recorded});
}

Status Stream::wait(const std::shared_ptr<Event>& event) {
  if (event->recorded == 0) return Success;
  return submit(WaitEvent{event, event->recorded});
}

Stream* create_stream() {
  auto* stream = new Stream;
  streams().insert(stream);
  return stream;
}

Status destroy_stream(Stream* stream) {
  if (streams().count(stream) == 0) return fail(InvalidHandle, "no such stream");
  Status status = stream->finish();
  streams().erase(stream);
  delete stream;
  return status;
}

Stream* stream_of(void* handle) {
  // 1 and 2 are the names of the legacy and the per-thread default stream.
  if (reinterpret_cast<uintptr_t>(handle) <= 2) return default_stream();
  auto* stream = static_cast<Stream*>(handle);
  return streams().count(stream) != 0 ? stream : nullptr;
}

Status finish_all_streams() {
  Status first = default_stream()->capturing() ? Success : default_stream()->finish();
  for (Stream* stream : streams()) {
    Status status = stream->capturing() ? Success : stream->finish();
    if (first == Success) first = status;
  }
  return first;
}

}  // namespace emulator
