#include "cuda/nvrtc.h"

#include <array>
#include <cstdlib>
#include <vector>

namespace dyno::cuda {
namespace {

using Program = struct ProgramTag*;
constexpr int success = 0, errorInvalidOption = 5;

// ---- What our kernels use of CUDA's headers, by the instructions behind it (PTX ISA, "cvt").

constexpr const char* integers = R"(
#pragma once
namespace std {
using size_t = decltype(sizeof 0);
using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned;
using int64_t = long;
using uint64_t = unsigned long;
}
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
)";
constexpr const char* half = R"(
#pragma once
struct __half {
  unsigned short bits;
  __half() = default;
  __device__ explicit __half(float v) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v)); }
  __device__ explicit operator float() const {
    float v;
    asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
    return v;
  }
};
inline __device__ __half __float2half(float v) { return __half(v); }
inline __device__ float __half2float(__half h) { return float(h); }
)";
constexpr const char* bfloat = R"(
#pragma once
struct __nv_bfloat16 {
  unsigned short bits;
  __nv_bfloat16() = default;
  __device__ explicit __nv_bfloat16(float v) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(v)); }
};
inline __device__ __nv_bfloat16 __float2bfloat16(float v) { return __nv_bfloat16(v); }
)";
constexpr const char* fp8 = R"(
#pragma once
struct __nv_fp8_e4m3 {
  unsigned char bits;
  __nv_fp8_e4m3() = default;
  __device__ explicit __nv_fp8_e4m3(float v) {
#if __CUDA_ARCH__ >= 890
    unsigned short pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(v));
    bits = static_cast<unsigned char>(pair);
#else
    // A card without the conversion has no fp8 product that would read this.
    bits = 0;
    (void)v;
#endif
  }
};
)";
constexpr std::array<const char*, 4> headerNames = {"cstdint", "cuda_fp16.h", "cuda_bf16.h", "cuda_fp8.h"};
constexpr std::array<const char*, 4> headers = {integers, half, bfloat, fp8};

}  // namespace

struct Nvrtc::Api {
  const char* (*errorString)(int);
  int (*version)(int*, int*);
  int (*create)(Program*, const char*, const char*, int, const char* const*, const char* const*);
  int (*destroy)(Program*);
  int (*compile)(Program, int, const char* const*);
  int (*cubinSize)(Program, std::size_t*);
  int (*cubin)(Program, char*);
  int (*ptxSize)(Program, std::size_t*);
  int (*ptx)(Program, char*);
  int (*logSize)(Program, std::size_t*);
  int (*log)(Program, char*);
};

Nvrtc::~Nvrtc() { library_.abandon(); }  // it registers at exit: never unmap it

Result<std::shared_ptr<Nvrtc>> Nvrtc::open(const std::string& path) {
  const char* given = std::getenv("DYNO_NVRTC");
  std::vector<std::string> names = {"libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so"};
  if (!path.empty())
    names = {path};
  else if (given != nullptr)
    names = {given};
  auto opened = SharedLibrary::open(names,
                                    "Install libnvrtc (cuda-nvrtc), or build the kernels where nvcc is: "
                                    "`node native/build.mjs`.");
  if (!opened.ok()) return opened.error();
  std::shared_ptr<Nvrtc> self(new Nvrtc());
  self->library_ = std::move(opened.value());
  self->api_ = std::make_unique<Api>();
  Api& api = *self->api_;
  const SharedLibrary& lib = self->library_;
  const auto find = [&lib](auto& function, const char* symbol) {
    function = lib.symbol<std::remove_reference_t<decltype(function)>>({symbol});
    return function != nullptr;
  };
  const bool complete = find(api.errorString, "nvrtcGetErrorString") && find(api.version, "nvrtcVersion") &&
                        find(api.create, "nvrtcCreateProgram") && find(api.destroy, "nvrtcDestroyProgram") &&
                        find(api.compile, "nvrtcCompileProgram") && find(api.cubinSize, "nvrtcGetCUBINSize") &&
                        find(api.cubin, "nvrtcGetCUBIN") && find(api.ptxSize, "nvrtcGetPTXSize") &&
                        find(api.ptx, "nvrtcGetPTX") && find(api.logSize, "nvrtcGetProgramLogSize") &&
                        find(api.log, "nvrtcGetProgramLog");
  if (!complete)
    return DriverError{"dlsym", 0, "SYMBOL_NOT_FOUND", self->path() + " lacks functions of NVRTC.",
                       "Install NVRTC of CUDA 12 or newer."};
  // NVRTC opens its built-ins by name when it compiles. Where it lies in a folder that the loader does not search (a
  // Python environment, say), they lie beside it: opened once from there, they are found by that name.
  if (const std::size_t slash = self->path().rfind('/'); slash != std::string::npos) {
    auto beside = SharedLibrary::open({self->path().substr(0, slash) + "/libnvrtc-builtins.so." + self->version()}, "");
    if (beside.ok()) beside.value().abandon();
  }
  return self;
}

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  return api_->version(&major, &minor) == success ? std::to_string(major) + "." + std::to_string(minor) : "unknown";
}

DriverError Nvrtc::error(const char* call, int code, const std::string& log) const {
  const char* text = api_->errorString(code);
  return DriverError{
      call, code, text != nullptr ? text : "NVRTC_ERROR",
      std::string(call) + " answered " + (text != nullptr ? text : "an error") + (log.empty() ? "." : ": " + log),
      "The kernels are of this build: use a newer NVRTC, or build them with nvcc."};
}

Result<Nvrtc::Image> Nvrtc::compile(const std::string& source, const std::string& name, int capability) const {
  struct Owner {
    const Api& api;
    Program program = nullptr;
    ~Owner() {
      if (program != nullptr) api.destroy(&program);
    }
  } owner{*api_};
  if (const int code = api_->create(&owner.program, source.c_str(), name.c_str(), static_cast<int>(headers.size()),
                                    headers.data(), headerNames.data());
      code != success)
    return error("nvrtcCreateProgram", code, "");
  const auto logOf = [&] {
    std::size_t size = 0;
    std::string text;
    if (api_->logSize(owner.program, &size) == success && size > 1) {
      text.resize(size);
      api_->log(owner.program, text.data());
      text.resize(size - 1);
    }
    return text;
  };
  const std::string known = "sm_" + std::to_string(capability);
  for (const std::string& target : {known, std::string("compute_80")}) {
    const std::string architecture = "--gpu-architecture=" + target;
    const char* options[] = {architecture.c_str(), "--std=c++17", "-lineinfo"};
    const int code = api_->compile(owner.program, 3, options);
    if (code == errorInvalidOption && target == known) continue;
    if (code != success) return error("nvrtcCompileProgram", code, logOf());
    Image image;
    image.target = target;
    image.log = logOf();
    const bool isPtx = target != known;
    std::size_t size = 0;
    if (const int sized = isPtx ? api_->ptxSize(owner.program, &size) : api_->cubinSize(owner.program, &size);
        sized != success)
      return error("nvrtcGetCUBINSize", sized, "");
    image.bytes.resize(size);
    if (const int got =
            isPtx ? api_->ptx(owner.program, image.bytes.data()) : api_->cubin(owner.program, image.bytes.data());
        got != success)
      return error("nvrtcGetCUBIN", got, "");
    return image;
  }
  return error("nvrtcCompileProgram", errorInvalidOption, "no architecture of this card is known to it");
}

}  // namespace dyno::cuda
