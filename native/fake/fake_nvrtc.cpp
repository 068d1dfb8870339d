// A scriptable NVRTC for tests: every program compiles to the bytes "fake cubin", unless its script says otherwise:
//
//   fail nvrtcCompileProgram 6    that call answers this code (6: compilation), with a log
//   unknown 90                    sm_90 is not known: NVRTC_ERROR_INVALID_OPTION
#include <dlfcn.h>

#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace {
struct Script {
  std::map<std::string, int> failures;
  std::set<std::string> unknown;
};
Script script() {
  Script found;
  Dl_info here{};
  dladdr(reinterpret_cast<void*>(&script), &here);
  std::ifstream file(std::string(here.dli_fname) + ".script");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string verb, name;
    words >> verb >> name;
    if (verb == "fail") words >> found.failures[name];
    if (verb == "unknown") found.unknown.insert("--gpu-architecture=sm_" + name);
  }
  return found;
}
struct Program {
  std::string source, log;
};
constexpr char image[] = "fake cubin";
int alive = 0;
}  // namespace

extern "C" {
int fakeNvrtcAlive() { return alive; }
const char* nvrtcGetErrorString(int code) { return code == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_FAKE"; }
int nvrtcVersion(int* major, int* minor) { return *major = 13, *minor = 0, 0; }
int nvrtcCreateProgram(Program** program, const char* source, const char*, int, const char* const*,
                       const char* const*) {
  ++alive;
  *program = new Program{source, ""};
  return 0;
}
int nvrtcDestroyProgram(Program** program) {
  --alive;
  delete *program;
  return *program = nullptr, 0;
}
int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  const Script now = script();
  for (int i = 0; i < count; ++i)
    if (now.unknown.count(options[i]) != 0) return 5;
  const auto failure = now.failures.find("nvrtcCompileProgram");
  if (failure != now.failures.end()) {
    program->log = "line 1: error: as the script says";
    return failure->second;
  }
  return program->source.find("extern \"C\"") == std::string::npos ? 6 : 0;
}
int nvrtcGetCUBINSize(Program*, std::size_t* size) { return *size = sizeof image, 0; }
int nvrtcGetCUBIN(Program*, char* out) { return std::memcpy(out, image, sizeof image), 0; }
int nvrtcGetPTXSize(Program*, std::size_t* size) { return *size = sizeof image, 0; }
int nvrtcGetPTX(Program*, char* out) { return std::memcpy(out, image, sizeof image), 0; }
int nvrtcGetProgramLogSize(Program* program, std::size_t* size) { return *size = program->log.size() + 1, 0; }
int nvrtcGetProgramLog(Program* program, char* out) {
  return std::memcpy(out, program->log.c_str(), program->log.size() + 1), 0;
}
}
