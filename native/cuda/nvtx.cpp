#include "cuda/nvtx.h"

// NVTX is headers only: a profiler injects itself through them. They come with the toolkit; without one, ranges do
// nothing.
#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>

namespace dyno::cuda {
bool nvtxCompiledIn() { return true; }
void pushRange(const char* name) { nvtxRangePushA(name); }
void popRange() { nvtxRangePop(); }
void mark(const char* name) { nvtxMarkA(name); }
}  // namespace dyno::cuda
#else
namespace dyno::cuda {
bool nvtxCompiledIn() { return false; }
void pushRange(const char*) {}
void popRange() {}
void mark(const char*) {}
}  // namespace dyno::cuda
#endif
