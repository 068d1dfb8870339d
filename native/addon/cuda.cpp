// Converts between JavaScript and cuda/, engine/: objects by number, driver errors as thrown errors that carry call,
// code, name and hint.
#include <cstdio>
#include <cstdlib>

#include "addon/instance.h"
#include "cuda/nvrtc.h"
#include "cuda/nvtx.h"
#include "driver/deadline.h"
#include "driver/json.h"
#include "engine/ceilings.h"
#include "engine/cublaslt.h"
#include "engine/reference.h"

namespace dyno::addon {
namespace {

using cuda::Runtime;
using Info = Napi::CallbackInfo;

void raise(const Napi::Env& env, const DriverError& error) {
  const Napi::Error thrown = Napi::Error::New(env, error.message);
  Napi::Object object = thrown.Value();
  object.Set("name", "CudaError");
  object.Set("code", error.name);
  object.Set("call", error.call);
  object.Set("number", error.code);
  object.Set("hint", error.hint);
  thrown.ThrowAsJavaScriptException();
}

// Every function below starts with the runtime's number; after raising it returns at once.
std::shared_ptr<Runtime> runtimeOf(const Info& info) {
  auto& runtimes = instanceOf(info.Env()).cuda;
  const auto found = runtimes.find(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return found == runtimes.end() ? nullptr : found->second;
}
const DriverError closed{"", 0, "CLOSED", "This CUDA runtime is closed.", "Open it again."};

template <typename T>
Napi::Value answer(const Napi::Env& env, const Result<T>& result) {
  if (!result.ok()) {
    raise(env, result.error());
    return env.Undefined();
  }
  if constexpr (std::is_same_v<T, Nothing>)
    return env.Undefined();
  else if constexpr (std::is_same_v<T, bool>)
    return Napi::Boolean::New(env, result.value());
  else
    return Napi::Number::New(env, static_cast<double>(result.value()));
}

// Wraps `body(runtime, info)` into a JavaScript function.
#define DYNO_FUNCTION(name, ...)                                                                \
  Napi::Value name(const Info& info) {                                                          \
    const auto runtime = runtimeOf(info);                                                       \
    if (runtime == nullptr) {                                                                   \
      raise(info.Env(), closed);                                                                \
      return info.Env().Undefined();                                                            \
    }                                                                                           \
    const auto number = [&info](std::size_t index) { return numberArgument(info, index, -1); }; \
    const auto bytes = [&info](std::size_t index) {                                             \
      return static_cast<std::size_t>(std::max(numberArgument(info, index, 0), 0.0));           \
    };                                                                                          \
    (void)number;                                                                               \
    (void)bytes;                                                                                \
    __VA_ARGS__                                                                                 \
  }

Napi::Value open(const Info& info) {
  const std::string path = textArgument(info, 0);
  auto library = std::make_shared<std::shared_ptr<cuda::Library>>();
  return answerLater(
      info.Env(),
      [path, library]() -> std::string {
        auto opened = withDeadline(std::chrono::seconds(30), [path] { return cuda::Library::open(path); });
        if (!opened)
          return errorAnswer(
              DriverError{"cuInit", 0, "DRIVER_HUNG", "cuInit got no answer from the driver in 30 s.",
                          "A GPU hangs inside the driver: see the kernel log, then reset it or reboot."});
        if (!opened->ok()) return errorAnswer(opened->error());
        *library = opened->value();
        return "";
      },
      [library](Napi::Env env, std::string failure) -> std::string {
        if (!failure.empty()) return failure;
        Instance& instance = instanceOf(env);
        const std::uint32_t id = instance.nextId++;
        instance.cuda[id] = std::make_shared<Runtime>(*library);
        Json json;
        json.beginObject()
            .field("runtime", id)
            .field("library", (*library)->path())
            .field("devices", (*library)->deviceCount())
            .endObject();
        return json.text();
      });
}

DYNO_FUNCTION(devices, return Napi::String::New(info.Env(), runtime->describeDevices());)
DYNO_FUNCTION(context, return answer(info.Env(), runtime->openContext(static_cast<int>(number(1))));)
DYNO_FUNCTION(stream, return answer(info.Env(), runtime->createStream(number(1)));)
DYNO_FUNCTION(event,
              return answer(info.Env(), runtime->createEvent(number(1), !info[2].IsBoolean() ||
                                                                            info[2].As<Napi::Boolean>().Value()));)
DYNO_FUNCTION(allocate, return answer(info.Env(), runtime->allocate(number(1), bytes(2)));)
DYNO_FUNCTION(allocatePinned, return answer(info.Env(), runtime->allocatePinned(number(1), bytes(2)));)
DYNO_FUNCTION(module, return answer(info.Env(), runtime->loadModule(number(1), textArgument(info, 2)));)
DYNO_FUNCTION(kernel, return answer(info.Env(), runtime->findKernel(number(1), textArgument(info, 2)));)
DYNO_FUNCTION(release, return answer(info.Env(), runtime->release(number(1)));)
DYNO_FUNCTION(copy,
              return answer(info.Env(), runtime->copy(number(1), number(2), bytes(3), number(4), bytes(5), bytes(6)));)
DYNO_FUNCTION(fill, return answer(info.Env(), runtime->fill(number(1), number(2), bytes(3),
                                                            static_cast<std::uint8_t>(number(4)), bytes(5)));)
DYNO_FUNCTION(record, return answer(info.Env(), runtime->record(number(1), number(2)));)
DYNO_FUNCTION(wait, return answer(info.Env(), runtime->wait(number(1), number(2)));)
DYNO_FUNCTION(elapsed, return answer(info.Env(), runtime->elapsedMs(number(1), number(2)));)
DYNO_FUNCTION(ready, return answer(info.Env(), runtime->ready(number(1)));)
DYNO_FUNCTION(beginCapture, return answer(info.Env(), runtime->beginCapture(number(1)));)
DYNO_FUNCTION(endCapture, return answer(info.Env(), runtime->endCapture(number(1)));)
DYNO_FUNCTION(launchGraph, return answer(info.Env(), runtime->launchGraph(number(1), number(2)));)
DYNO_FUNCTION(enablePeer, return answer(info.Env(), runtime->enablePeer(number(1), number(2)));)
DYNO_FUNCTION(alive, return Napi::String::New(info.Env(), runtime->describeAlive());)

Napi::Value transferBytes(const Info& info, bool write) {
  const auto runtime = runtimeOf(info);
  if (runtime == nullptr) return raise(info.Env(), closed), info.Env().Undefined();
  if (!info[3].IsTypedArray()) {
    Napi::TypeError::New(info.Env(), "expected a typed array").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const auto array = info[3].As<Napi::TypedArray>();
  char* data = static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  const auto offset = static_cast<std::size_t>(std::max(numberArgument(info, 2, 0), 0.0));
  return answer(info.Env(), write ? runtime->writeBytes(numberArgument(info, 1, -1), offset, data, array.ByteLength())
                                  : runtime->readBytes(numberArgument(info, 1, -1), offset, data, array.ByteLength()));
}
Napi::Value write(const Info& info) { return transferBytes(info, true); }
Napi::Value read(const Info& info) { return transferBytes(info, false); }

// launch(runtime, stream, kernel, shape: Uint32Array[7] grid xyz, block xyz, shared bytes, types: string, values:
// Float64Array)
DYNO_FUNCTION(launch, {
  if (!info[3].IsTypedArray() || !info[5].IsTypedArray() || info[3].As<Napi::Uint32Array>().ElementLength() < 7) {
    Napi::TypeError::New(info.Env(), "launch: expected a shape of seven numbers, argument types and argument values")
        .ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const auto shape = info[3].As<Napi::Uint32Array>();
  const auto values = info[5].As<Napi::Float64Array>();
  const std::array<unsigned, 6> sizes{shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
  return answer(info.Env(), runtime->launch(number(1), number(2), sizes, shape[6], textArgument(info, 4), values.Data(),
                                            values.ElementLength()));
})

DYNO_FUNCTION(memoryInfo, {
  auto found = runtime->memoryInfo(number(1));
  if (!found.ok()) return raise(info.Env(), found.error()), info.Env().Undefined();
  auto pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0u, static_cast<double>(found.value().first));
  pair.Set(1u, static_cast<double>(found.value().second));
  return pair;
})

// synchronize(runtime, stream or event) -> JSON text, "" when all is well; waits on a worker thread
DYNO_FUNCTION(synchronize, {
  auto waiter = runtime->waiter(number(1));
  if (!waiter.ok()) return raise(info.Env(), waiter.error()), info.Env().Undefined();
  auto wait = std::make_shared<std::function<Status()>>(std::move(waiter.value()));
  return answerLater(info.Env(), [wait]() -> std::string {
    const Status done = (*wait)();
    *wait = nullptr;  // the object is free again before JavaScript hears of it
    return done.ok() ? "" : errorAnswer(done.error());
  });
})

// synchronizeNow: the same on this thread, for tight loops in a runner
DYNO_FUNCTION(synchronizeNow, {
  auto waiter = runtime->waiter(number(1));
  if (!waiter.ok()) return raise(info.Env(), waiter.error()), info.Env().Undefined();
  return answer(info.Env(), waiter.value()());
})

// close(runtime) -> JSON of what was still alive: the leaks. They are freed now.
Napi::Value close(const Info& info) {
  const auto runtime = runtimeOf(info);
  if (runtime == nullptr)
    return Napi::String::New(info.Env(), "{\"handles\":0,\"bytes\":0,\"byKind\":{},\"failedReleases\":0}");
  const std::string alive = runtime->describeAlive();
  instanceOf(info.Env()).cuda.erase(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return Napi::String::New(info.Env(), alive);
}

// ceilings(runtime, device, kernelFolder, cublasLt, nvml, scale, progress(done, total, id), cancel: Int32Array[1]) ->
// JSON
Napi::Value ceilings(const Info& info) {
  const Napi::Env env = info.Env();
  const auto runtime = runtimeOf(info);
  if (runtime == nullptr) return raise(env, closed), env.Undefined();
  engine::CeilingOptions options;
  options.device = static_cast<int>(numberArgument(info, 1, 0));
  options.kernelFolder = textArgument(info, 2);
  options.cublasLtPath = textArgument(info, 3);
  options.nvmlPath = textArgument(info, 4);
  options.scale = numberArgument(info, 5, 1);
  options.ncclPath = textArgument(info, 8);
  if (info[9].IsArray()) {
    const auto only = info[9].As<Napi::Array>();
    for (std::uint32_t i = 0; i < only.Length(); ++i) options.only.push_back(only.Get(i).ToString().Utf8Value());
  }
  auto told = Napi::ThreadSafeFunction::New(env, info[6].As<Napi::Function>(), "dyno ceilings", 0, 1);
  // A cancel flag that both sides see: JavaScript writes 1, the measuring thread looks between two measurements.
  const auto flag = info[7].As<Napi::Int32Array>();
  auto keep = std::make_shared<Napi::Reference<Napi::Int32Array>>(Napi::Persistent(flag));
  const auto* cell = reinterpret_cast<const std::atomic<int>*>(flag.Data());
  return answerLater(
      env,
      [library = runtime->library(), options, told, cell]() mutable -> std::string {
        std::atomic<bool> cancelled{false};
        const std::string text = engine::measureCeilings(
            library, options,
            [&](const engine::CeilingProgress& progress) {
              cancelled = cell->load() != 0;
              auto* copy = new engine::CeilingProgress(progress);
              told.NonBlockingCall(
                  copy, [](Napi::Env callEnv, Napi::Function callback, engine::CeilingProgress* given) {
                    const std::unique_ptr<engine::CeilingProgress> owned(given);
                    if (callback != nullptr)
                      callback.Call({Napi::Number::New(callEnv, owned->done), Napi::Number::New(callEnv, owned->total),
                                     Napi::String::New(callEnv, owned->id)});
                  });
            },
            cancelled);
        told.Release();
        return text;
      },
      [keep](Napi::Env, std::string text) {
        keep->Reset();
        return text;
      });
}

Napi::Value pushRange(const Info& info) {
  cuda::pushRange(textArgument(info, 0).c_str());
  return info.Env().Undefined();
}
Napi::Value popRange(const Info& info) {
  cuda::popRange();
  return info.Env().Undefined();
}
Napi::Value mark(const Info& info) {
  cuda::mark(textArgument(info, 0).c_str());
  return info.Env().Undefined();
}

// referenceLinear(y, x, w, b, rows, in, out, activation): the float64 reference, on this thread and its helpers
Napi::Value referenceLinear(const Info& info) {
  const Napi::Env env = info.Env();
  for (std::size_t i = 0; i < 4; ++i) {
    if (!info[i].IsTypedArray()) {
      Napi::TypeError::New(env, "referenceLinear: expected typed arrays y, x, w, b").ThrowAsJavaScriptException();
      return env.Undefined();
    }
  }
  auto y = info[0].As<Napi::Float64Array>();
  const auto x = info[1].As<Napi::Float64Array>();
  const auto w = info[2].As<Napi::Float32Array>();
  const auto b = info[3].As<Napi::Float32Array>();
  const auto rows = static_cast<std::size_t>(numberArgument(info, 4, 0)),
             in = static_cast<std::size_t>(numberArgument(info, 5, 0)),
             out = static_cast<std::size_t>(numberArgument(info, 6, 0));
  if (y.ElementLength() < rows * out || x.ElementLength() < rows * in || w.ElementLength() < in * out ||
      b.ElementLength() < out) {
    Napi::RangeError::New(env, "referenceLinear: an array is shorter than its shape").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  engine::referenceLinear(y.Data(), x.Data(), w.Data(), b.Data(), rows, in, out,
                          static_cast<unsigned>(numberArgument(info, 7, 0)));
  return env.Undefined();
}

// compileSource(nvrtc path, source text, name, capability) -> JSON {version, target, bytes, log}; touches no driver
Napi::Value compileSource(const Info& info) {
  const std::string path = textArgument(info, 0), source = textArgument(info, 1), name = textArgument(info, 2);
  const int capability = static_cast<int>(numberArgument(info, 3, 80));
  return answerLater(info.Env(), [path, source, name, capability]() -> std::string {
    auto compiler = cuda::Nvrtc::open(path);
    if (!compiler.ok()) return errorAnswer(compiler.error());
    auto image = compiler.value()->compile(source, name, capability);
    if (!image.ok()) return errorAnswer(image.error());
    Json json;
    json.beginObject()
        .field("version", compiler.value()->version())
        .field("target", image.value().target)
        .field("bytes", static_cast<std::uint64_t>(image.value().bytes.size()))
        .field("log", image.value().log)
        .endObject();
    return json.text();
  });
}

// probe(cublasLt, cupti, nccl, nvrtc paths) -> JSON: which optional libraries this machine has
Napi::Value probe(const Info& info) {
  const std::string blasPath = textArgument(info, 0);
  return answerLater(info.Env(), [blasPath]() -> std::string {
    Json json;
    json.beginObject().field("nvtx", cuda::nvtxCompiledIn());
    const auto tell = [&json](const char* name, const std::vector<std::string>& names) {
      auto opened = SharedLibrary::open(names, "");
      json.key(name).beginObject().field("available", opened.ok());
      if (opened.ok()) {
        json.field("path", opened.value().path());
      } else {
        json.field("reason", opened.error().message);
      }
      json.endObject();
      // These libraries start threads or register at exit: never unmap them.
      if (opened.ok()) opened.value().abandon();
    };
    tell("cublasLt", blasPath.empty()
                         ? std::vector<std::string>{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11",
                                                    "/usr/local/cuda/lib64/libcublasLt.so"}
                         : std::vector<std::string>{blasPath});
    tell("cupti", {"libcupti.so.13", "libcupti.so.12", "/usr/local/cuda/lib64/libcupti.so",
                   "/usr/local/cuda/extras/CUPTI/lib64/libcupti.so"});
    const auto named = [](const char* variable, std::vector<std::string> names) {
      const char* given = std::getenv(variable);
      return given != nullptr ? std::vector<std::string>{given} : std::move(names);
    };
    tell("nccl", named("DYNO_NCCL", {"libnccl.so.2", "libnccl.so"}));
    tell("nvrtc", named("DYNO_NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so"}));
    json.endObject();
    return json.text();
  });
}

}  // namespace

void exportCuda(Napi::Env env, Napi::Object exports) {
  const std::pair<const char*, Napi::Value (*)(const Info&)> functions[] = {{"cudaOpen", open},
                                                                            {"cudaDevices", devices},
                                                                            {"cudaContext", context},
                                                                            {"cudaStream", stream},
                                                                            {"cudaEvent", event},
                                                                            {"cudaAllocate", allocate},
                                                                            {"cudaAllocatePinned", allocatePinned},
                                                                            {"cudaModule", module},
                                                                            {"cudaKernel", kernel},
                                                                            {"cudaRelease", release},
                                                                            {"cudaCopy", copy},
                                                                            {"cudaFill", fill},
                                                                            {"cudaRecord", record},
                                                                            {"cudaWait", wait},
                                                                            {"cudaElapsed", elapsed},
                                                                            {"cudaReady", ready},
                                                                            {"cudaBeginCapture", beginCapture},
                                                                            {"cudaEndCapture", endCapture},
                                                                            {"cudaLaunchGraph", launchGraph},
                                                                            {"cudaEnablePeer", enablePeer},
                                                                            {"cudaAlive", alive},
                                                                            {"cudaWrite", write},
                                                                            {"cudaRead", read},
                                                                            {"cudaLaunch", launch},
                                                                            {"cudaMemoryInfo", memoryInfo},
                                                                            {"cudaSynchronize", synchronize},
                                                                            {"cudaSynchronizeNow", synchronizeNow},
                                                                            {"cudaClose", close},
                                                                            {"ceilings", ceilings},
                                                                            {"nvtxPush", pushRange},
                                                                            {"nvtxPop", popRange},
                                                                            {"nvtxMark", mark},
                                                                            {"probeLibraries", probe},
                                                                            {"compileSource", compileSource},
                                                                            {"referenceLinear", referenceLinear}};
  for (const auto& [name, function] : functions) exports.Set(name, Napi::Function::New(env, function, name));
}

void reportLeaks(const Instance& instance) {
  for (const auto& [id, runtime] : instance.cuda) {
    if (runtime->alive() > 0)
      std::fprintf(stderr, "dyno native: CUDA objects were never freed: %s\n", runtime->describeAlive().c_str());
  }
}

}  // namespace dyno::addon
