#include "status.h"

#include <mutex>
#include <set>

namespace emulator {
namespace {

// One for the process, not one per thread: thread-local memory holds the kernels' shared arrays, which are overwritten.
std::mutex last_failure_lock;
Status last_status = Success;
const std::string* last_text = nullptr;

// Texts live for ever, since callers keep pointers to them; equal ones are kept once.
const std::string* keep(const std::string& text) {
  static auto* texts = new std::set<std::string>;
  return &*texts->insert(text).first;
}

}  // namespace

const char* status_name(int status) {
  switch (status) {
    case Success: return "CUDA_SUCCESS";
    case InvalidValue: return "CUDA_ERROR_INVALID_VALUE";
    case OutOfMemory: return "CUDA_ERROR_OUT_OF_MEMORY";
    case NotInitialized: return "CUDA_ERROR_NOT_INITIALIZED";
    case InvalidDevice: return "CUDA_ERROR_INVALID_DEVICE";
    case InvalidContext: return "CUDA_ERROR_INVALID_CONTEXT";
    case InvalidHandle: return "CUDA_ERROR_INVALID_HANDLE";
    case NotFound: return "CUDA_ERROR_NOT_FOUND";
    case NotReady: return "CUDA_ERROR_NOT_READY";
    case IllegalAddress: return "CUDA_ERROR_ILLEGAL_ADDRESS";
    case LaunchOutOfResources: return "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES";
    case LaunchFailed: return "CUDA_ERROR_LAUNCH_FAILED";
    case NotSupported: return "CUDA_ERROR_NOT_SUPPORTED";
    case StreamCaptureUnsupported: return "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
    case StreamCaptureInvalidated: return "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED";
    default: return "CUDA_ERROR_UNKNOWN";
  }
}

Status fail(Status status, const std::string& why) {
  std::lock_guard<std::mutex> hold(last_failure_lock);
  last_status = status;
  last_text = keep(why);
  return status;
}

const char* status_text(int status) {
  std::lock_guard<std::mutex> hold(last_failure_lock);
  if (status == last_status && last_text != nullptr) return last_text->c_str();
  return status == Success ? "no error" : "the emulator has no text for this failure";
}

}  // namespace emulator
