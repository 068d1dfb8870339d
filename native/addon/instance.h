// What one JavaScript environment (main thread, worker) holds of the addon: numbered sessions, so that no pointer ever
// reaches JavaScript.
#pragma once
#include <napi.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "cuda/runtime.h"
#include "cupti/activity_trace.h"
#include "cupti/pm_sampling.h"
#include "cupti/range_profiler.h"
#include "engine/cublaslt.h"
#include "http/stamped_server.h"
#include "nvml/sampler.h"

namespace dyno::addon {

struct TelemetrySession {
  std::shared_ptr<nvml::Library> library;
  std::shared_ptr<nvml::Sampler> sampler;  // while sampling
  // The high-resolution source, in place of GPM, where it was asked for; one per GPU.
  std::vector<std::shared_ptr<cupti::PmSampling>> highResolution;
};

struct HttpSession;
struct Instance;
struct Transformers;  // transformer.cpp
void reportLeaks(const Instance& instance);

struct Instance {
  ~Instance() { reportLeaks(*this); }
  std::uint32_t nextId = 1;
  std::map<std::uint32_t, std::shared_ptr<TelemetrySession>> telemetry;
  std::map<std::uint32_t, std::shared_ptr<cuda::Runtime>> cuda;
  // After the runtimes: they hold contexts of theirs and go first.
  std::map<std::uint32_t, std::unique_ptr<engine::Gemm>> gemms;
  std::map<std::uint32_t, std::unique_ptr<cupti::RangeProfiler>> counters;
  std::unique_ptr<cupti::ActivityTrace> activity;
  std::shared_ptr<Transformers> transformers;
  std::map<std::uint32_t, std::shared_ptr<HttpSession>> http;
  std::map<std::uint32_t, std::unique_ptr<http::StampedServer>> stampedServers;
};

inline Instance& instanceOf(const Napi::Env& env) { return *env.GetInstanceData<Instance>(); }

// Runs `work` off the JavaScript thread and resolves with the text that it answers. `finish`, when given, runs on the
// JavaScript thread before that, with the text. Never rejects: errors are values, {"error":{…}}.
Napi::Value answerLater(const Napi::Env& env, std::function<std::string()> work,
                        std::function<std::string(Napi::Env, std::string)> finish = nullptr);

std::string textArgument(const Napi::CallbackInfo& info, std::size_t index);
double numberArgument(const Napi::CallbackInfo& info, std::size_t index, double otherwise);

void exportTelemetry(Napi::Env env, Napi::Object exports);
void exportCuda(Napi::Env env, Napi::Object exports);
void exportCupti(Napi::Env env, Napi::Object exports);
void exportGemm(Napi::Env env, Napi::Object exports);
void exportTransformer(Napi::Env env, Napi::Object exports);
void exportHttp(Napi::Env env, Napi::Object exports);

}  // namespace dyno::addon
