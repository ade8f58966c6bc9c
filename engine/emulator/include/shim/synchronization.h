// Barriers of a block. Fences are nothing: the fibers of a block share one operating system thread, and blocks on other
// threads meet only in atomics.
#pragma once

namespace emulator {

enum class BarrierKind { Plain, Count, And, Or };

// Parks the GPU thread until all threads of the block that have not ended are here; returns the combined predicate.
int wait_at_barrier(BarrierKind kind, int predicate);

}  // namespace emulator

inline void __syncthreads() { emulator::wait_at_barrier(emulator::BarrierKind::Plain, 0); }
inline int __syncthreads_count(int predicate) { return emulator::wait_at_barrier(emulator::BarrierKind::Count, predicate); }
inline int __syncthreads_and(int predicate) { return emulator::wait_at_barrier(emulator::BarrierKind::And, predicate); }
inline int __syncthreads_or(int predicate) { return emulator::wait_at_barrier(emulator::BarrierKind::Or, predicate); }

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __nanosleep(unsigned) {}
[[noreturn]] inline void __trap() { emulator::fail_kernel("the kernel called __trap"); }
