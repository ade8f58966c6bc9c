// Which elements of the flat parameter vector have no weight decay.
#pragma once
#include "common/prelude.cuh"

// `runs` pairs (start, end), ascending, end excluded: whether an index lies in one of them. Binary search; the list is short and cached.
__device__ __forceinline__ bool is_undecayed(const int* __restrict__ undecayed, int runs, int index) {
  int low = 0, high = runs;
  while (low < high) {
    int middle = (low + high) / 2;
    if (undecayed[2 * middle + 1] <= index)
      low = middle + 1;
    else
      high = middle;
  }
  return low < runs && undecayed[2 * low] <= index;
}
