// Status codes of the driver API (CUresult) and the text of the last failure.
#pragma once

#include <string>

namespace emulator {

enum Status : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialized = 3,
  InvalidDevice = 101,
  InvalidContext = 201,
  InvalidHandle = 400,
  NotFound = 500,
  NotReady = 600,
  IllegalAddress = 700,
  LaunchOutOfResources = 701,
  LaunchFailed = 719,
  NotSupported = 801,
  StreamCaptureUnsupported = 900,
  StreamCaptureInvalidated = 901,
};

const char* status_name(int status);

// Remembers why, for cuGetErrorString, and returns the status.
Status fail(Status status, const std::string& why);

// The text of this thread's last failure where it had that status, otherwise a general one.
const char* status_text(int status);

}  // namespace emulator
