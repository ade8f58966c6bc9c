// Copies from global to shared memory that take effect only at the wait that covers them: a missing wait shows.
#pragma once

namespace emulator {

// Queues a copy of `valid` bytes, the rest of the `bytes` zero.
void queue_async_copy(void* shared, const void* global, int bytes, int valid);
void commit_async_copies();
// Performs all committed groups but the newest `keep`.
void wait_for_async_copies(int keep);

}  // namespace emulator
