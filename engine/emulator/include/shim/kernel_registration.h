// EXPORT_KERNEL makes a kernel known by name, with a generic call and its parameters' sizes, both deduced from its type.
#pragma once

#include <stddef.h>
#include <string.h>
#include <type_traits>
#include <utility>

namespace emulator {

struct KernelEntry {
  const char* name;
  void (*call)(void** arguments);
  int parameter_count;
  const size_t* parameter_sizes;
};

void register_kernel(const KernelEntry& kernel);

template <auto Function>
struct KernelRegistration;

template <typename... Parameters, void (*Function)(Parameters...)>
struct KernelRegistration<Function> {
  static constexpr size_t sizes[sizeof...(Parameters) + 1] = {sizeof(Parameters)..., 0};

  explicit KernelRegistration(const char* name) {
    register_kernel({name, &call, static_cast<int>(sizeof...(Parameters)), sizes});
  }

  static void call(void** arguments) { call_with(arguments, std::index_sequence_for<Parameters...>{}); }

  // Hosts need not align their copies of parameters as kernels do.
  template <typename T>
  static T value(const void* argument) {
    T parameter;
    memcpy(&parameter, argument, sizeof parameter);
    return parameter;
  }

  template <size_t... I>
  static void call_with([[maybe_unused]] void** arguments, std::index_sequence<I...>) {
    Function(value<std::remove_cv_t<Parameters>>(arguments[I])...);
  }
};

}  // namespace emulator

#define EXPORT_KERNEL(name) static const ::emulator::KernelRegistration<&name> name##_registration(#name);
