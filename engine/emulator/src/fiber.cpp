#include "fiber.h"

#include <new>
#include <stdlib.h>
#include <sys/mman.h>

#if !SPK_UCONTEXT
extern "C" void spk_switch_stack(void** from, void* to) __attribute__((visibility("hidden")));

// Callee-saved registers and the stack pointer are all that a cooperative switch has to keep. swapcontext also makes a
// system call for the signal mask, which costs ten times as much.
__asm__(R"(
.text
.globl spk_switch_stack
.hidden spk_switch_stack
.type spk_switch_stack,@function
spk_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size spk_switch_stack,.-spk_switch_stack
)");
#endif

namespace emulator {
namespace {

constexpr size_t GUARD_BYTES = 4096;
constexpr size_t STACK_BYTES = ADDRESS_SANITIZER ? 256 * 1024 : 64 * 1024;

// The fiber being started: a fresh stack has no other way to learn its argument.
__thread Fiber* starting;

void switch_stack(StackPosition& from, StackPosition& to) {
#if SPK_UCONTEXT
  swapcontext(&from.context, &to.context);
#else
  spk_switch_stack(&from.pointer, to.pointer);
#endif
}

}  // namespace

Fiber::Fiber() {
  void* memory = mmap(nullptr, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, GUARD_BYTES, PROT_NONE);  // An overflow is a fault, not a neighbour's data.
  stack_ = static_cast<unsigned char*>(memory) + GUARD_BYTES;
}

Fiber::~Fiber() { munmap(stack_ - GUARD_BYTES, GUARD_BYTES + STACK_BYTES); }

void Fiber::prepare(void (*body)(void*), void* argument) {
  body_ = body;
  argument_ = argument;
  saved_ = nullptr;
  allow_access(stack_, STACK_BYTES);
#if SPK_UCONTEXT
  getcontext(&position_.context);
  position_.context.uc_stack.ss_sp = stack_;
  position_.context.uc_stack.ss_size = STACK_BYTES;
  position_.context.uc_link = nullptr;
  makecontext(&position_.context, &Fiber::start, 0);
#else
  void** top = reinterpret_cast<void**>(stack_ + STACK_BYTES);
  *--top = nullptr;  // Keeps the alignment that a call would leave.
  *--top = reinterpret_cast<void*>(&Fiber::start);
  for (int i = 0; i < 6; i++) *--top = nullptr;  // The saved registers.
  position_.pointer = top;
#endif
}

void Fiber::start() {
  Fiber* fiber = starting;
  after_switch(nullptr, &fiber->home_->stack_, &fiber->home_->bytes_);
  fiber->body_(fiber->argument_);
  fiber->end();
}

void Fiber::end() {
  leave(true);
  abort();  // An ended fiber is never resumed.
}

void Fiber::leave(bool dying) {
  before_switch(dying ? nullptr : &saved_, home_->stack_, home_->bytes_);
  switch_stack(position_, home_->position_);
  after_switch(saved_, &home_->stack_, &home_->bytes_);
}

void Home::resume(Fiber& fiber) {
  fiber.home_ = this;
  starting = &fiber;
  before_switch(&saved_, fiber.stack_, STACK_BYTES);
  switch_stack(position_, fiber.position_);
  after_switch(saved_, nullptr, nullptr);
}

}  // namespace emulator
