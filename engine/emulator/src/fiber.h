// Stacks that code can be switched to and back: one for each GPU thread that is waiting.
#pragma once

#include "sanitizer.h"

#include <stddef.h>

#if !defined(__x86_64__) || defined(SPK_PORTABLE_FIBERS)
#define SPK_UCONTEXT 1
#include <ucontext.h>
#else
#define SPK_UCONTEXT 0
#endif

namespace emulator {

// Where a stack of execution stands while another one runs.
struct StackPosition {
#if SPK_UCONTEXT
  ucontext_t context;
#else
  void* pointer = nullptr;
#endif
};

class Fiber;

// The stack that fibers are resumed from. Fibers belong to no home: each resume names the one to come back to.
class Home {
 public:
  // Runs the fiber until it calls leave.
  void resume(Fiber& fiber);

 private:
  friend class Fiber;
  StackPosition position_;
  void* saved_ = nullptr;
  const void* stack_ = nullptr;
  size_t bytes_ = 0;
};

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Makes the next resume start `body(argument)` on a fresh stack. What ran on it before is abandoned.
  void prepare(void (*body)(void*), void* argument);

  // Called on the fiber: goes back to its home, until the next resume.
  void leave() { leave(false); }

  // Called on the fiber as its last act.
  [[noreturn]] void end();

  // GPU thread that waits on this stack.
  int thread = -1;

 private:
  friend class Home;
  static void start();
  void leave(bool dying);

  StackPosition position_;
  unsigned char* stack_;
  Home* home_ = nullptr;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  void* saved_ = nullptr;
};

}  // namespace emulator
