// Independent problems of a batch in one launch: the rows of one follow those of another, and blockIdx.z says which problem a block is for.
//
// Field by field the ProblemsView of the host.
#pragma once
#include "common/prelude.cuh"

struct Problem {
  int index;  // Among all of the batch.
  int first;  // Of its rows, among those of all.
  int rows;
};

struct Problems {
  const int* starts;  // Of each problem the first row, then the number of all rows; null where there is one problem.
  const int* active;  // The problems at work, a z of the grid each; null for all.
  int most_rows;      // Of any problem.

  __device__ __forceinline__ Problem own() const {
    if (starts == nullptr) return {0, 0, most_rows};
    int index = active == nullptr ? int(blockIdx.z) : active[blockIdx.z];
    return {index, starts[index], starts[index + 1] - starts[index]};
  }

  // Where the own rows begin in memory that has room for `most_rows` of each problem at work, `parts` times; of one part.
  __device__ __forceinline__ int64_t room(int part) const { return (int64_t(part) * gridDim.z + blockIdx.z) * most_rows; }
};
