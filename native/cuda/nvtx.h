// NVTX ranges, so that a capture shows what the program was doing. Free when no profiler is attached.
#pragma once

namespace dyno::cuda {

bool nvtxCompiledIn();
void pushRange(const char* name);
void popRange();
void mark(const char* name);

}  // namespace dyno::cuda
