// The exports that the tests call, as cuda.h declares them but for handles, which are plain pointers here.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {
int spkEmulatorVersion();
int spkEmulatorConfigure(const char* name, int value);
int cuGetErrorName(int status, const char** name);
int cuGetErrorString(int status, const char** text);
int cuDeviceGetAttribute(int* value, int attribute, int device);
int cuCtxSynchronize();
int cuMemGetInfo_v2(size_t* free_bytes, size_t* total_bytes);
int cuMemAlloc_v2(uint64_t* address, size_t bytes);
int cuMemFree_v2(uint64_t address);
int cuMemHostAlloc(void** address, size_t bytes, unsigned flags);
int cuMemFreeHost(void* address);
int cuMemcpyHtoDAsync_v2(uint64_t destination, const void* source, size_t bytes, void* stream);
int cuMemcpyDtoHAsync_v2(void* destination, uint64_t source, size_t bytes, void* stream);
int cuMemcpyDtoDAsync_v2(uint64_t destination, uint64_t source, size_t bytes, void* stream);
int cuMemsetD8Async(uint64_t address, unsigned char value, size_t count, void* stream);
int cuMemsetD32Async(uint64_t address, unsigned value, size_t count, void* stream);
int cuStreamCreate(void** stream, unsigned flags);
int cuStreamDestroy_v2(void* stream);
int cuStreamSynchronize(void* stream);
int cuStreamQuery(void* stream);
int cuStreamWaitEvent(void* stream, void* event, unsigned flags);
int cuStreamBeginCapture_v2(void* stream, int mode);
int cuStreamEndCapture(void* stream, void** graph);
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long flags);
int cuGraphLaunch(void* executable, void* stream);
int cuGraphExecDestroy(void* executable);
int cuGraphDestroy(void* graph);
int cuEventCreate(void** event, unsigned flags);
int cuEventDestroy_v2(void* event);
int cuEventRecord(void* event, void* stream);
int cuEventSynchronize(void* event);
int cuEventQuery(void* event);
int cuEventElapsedTime(float* milliseconds, void* start, void* end);
int cuLaunchHostFunc(void* stream, void (*function)(void*), void* data);
int cuModuleLoadData(void** module, const void* image);
int cuModuleGetFunction(void** function, void* module, const char* name);
int cuFuncSetAttribute(void* function, int attribute, int value);
int cuFuncGetParamInfo(void* function, size_t index, size_t* offset, size_t* bytes);
int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                   unsigned dynamic_bytes, void* stream, void** arguments, void** extra);
int cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address, const uint64_t* extents, const uint64_t* strides, const unsigned* box,
                           const unsigned* steps, int interleave, int swizzle, int promotion, int fill);
int cublasCreate_v2(void** handle);
int cublasDestroy_v2(void* handle);
int cublasSetStream_v2(void* handle, void* stream);
int cublasSetMathMode(void* handle, int mode);
int cublasSgemm_v2(void* handle, int transpose_a, int transpose_b, int rows, int columns, int depth, const float* alpha, const float* a,
                   int leading_a, const float* b, int leading_b, const float* beta, float* c, int leading_c);
int cublasGemmStridedBatchedEx(void* handle, int transpose_a, int transpose_b, int rows, int columns, int depth, const void* alpha,
                               const void* a, int type_a, int leading_a, long long stride_a, const void* b, int type_b, int leading_b,
                               long long stride_b, const void* beta, void* c, int type_c, int leading_c, long long stride_c, int batch,
                               int compute, int algorithm);

struct UniqueId {
  char bytes[128];
};

int ncclGetUniqueId(UniqueId* id);
int ncclCommInitRank(void** group, int ranks, UniqueId id, int rank);
int ncclAllReduce(const void* source, void* destination, size_t count, int type, int operation, void* group, void* stream);
int ncclAllGather(const void* source, void* destination, size_t count, int type, void* group, void* stream);
int ncclCommGetAsyncError(void* group, int* status);
int ncclCommDestroy(void* group);
}
