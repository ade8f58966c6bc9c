// Force-included before every kernel file: enough of CUDA C++ for g++ to compile it as an ordinary C++ program.
// Everything a kernel may use has to be declared here, since kernels include no standard headers.
#pragma once

#ifndef SPK_EMULATOR
#define SPK_EMULATOR 1
#endif

#include <stdint.h>
#include <stdio.h>

#include "shim/vector_types.h"
#include "shim/execution.h"
#include "shim/kernel_registration.h"
#include "shim/synchronization.h"
#include "shim/warp.h"
#include "shim/atomics.h"
#include "shim/bits.h"
#include "shim/math.h"
#include "shim/async_copy.h"
#include "shim/bulk_copy.h"
#include "emulated_tensor_core.h"
#include "emulated_wgmma.h"

// Last: some keywords are names that the standard library uses itself.
#include "shim/keywords.h"
