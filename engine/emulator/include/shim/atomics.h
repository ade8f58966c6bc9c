// Atomics, also between blocks on different operating system threads.
#pragma once

#include <type_traits>

namespace emulator {

// Replaces *address by update(old); returns the old value.
template <typename T, typename Update>
inline T exchange_with(T* address, Update update) {
  T old, next;
  __atomic_load(address, &old, __ATOMIC_SEQ_CST);
  do {
    next = update(old);
  } while (!__atomic_compare_exchange(address, &old, &next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  return old;
}

// The second argument converts to the first one's type, as with CUDA's overloads.
template <typename T>
struct Same {
  using Type = T;
};

}  // namespace emulator

template <typename T>
inline T atomicAdd(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T old) { return static_cast<T>(old + value); });
}

template <typename T>
inline T atomicSub(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T old) { return static_cast<T>(old - value); });
}

template <typename T>
inline T atomicMax(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T old) { return old > value ? old : value; });
}

template <typename T>
inline T atomicMin(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T old) { return old < value ? old : value; });
}

template <typename T>
inline T atomicOr(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T old) { return static_cast<T>(old | value); });
}

template <typename T>
inline T atomicAnd(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T old) { return static_cast<T>(old & value); });
}

template <typename T>
inline T atomicXor(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T old) { return static_cast<T>(old ^ value); });
}

template <typename T>
inline T atomicExch(T* address, typename emulator::Same<T>::Type value) {
  return emulator::exchange_with(address, [=](T) { return value; });
}

// Counts up to `limit`, then wraps to 0: the ticket of "the last block adds the partial sums".
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return emulator::exchange_with(address, [=](unsigned old) { return old >= limit ? 0u : old + 1u; });
}

template <typename T>
inline T atomicCAS(T* address, typename emulator::Same<T>::Type compare, typename emulator::Same<T>::Type value) {
  T expected = compare;
  __atomic_compare_exchange(address, &expected, &value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}
