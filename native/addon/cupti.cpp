// Converts between JavaScript and cupti/: the process's own kernel timeline, and counters of its kernels. All of it is
// called by the runner between iterations, on its one thread.
#include "addon/instance.h"
#include "cupti/activity_trace.h"
#include "cupti/range_profiler.h"
#include "driver/json.h"

namespace dyno::addon {
namespace {

using Info = Napi::CallbackInfo;

Napi::Value text(const Info& info, const std::string& value) { return Napi::String::New(info.Env(), value); }
Napi::Value answer(const Info& info, const Status& status) {
  return text(info, status.ok() ? "{}" : errorAnswer(status.error()));
}
const DriverError notTracing{"", 0, "CLOSED", "No kernels are being recorded.", "Start recording first."};
const DriverError noCounters{"", 0, "CLOSED", "This counter session is closed.", "Open it again."};

// activityStart(origin: bigint, cupti, calls, oneByOne) -> JSON {library, version, ownClock}
Napi::Value activityStart(const Info& info) {
  Instance& instance = instanceOf(info.Env());
  cupti::ActivityOptions options;
  bool lossless = false;
  if (info[0].IsBigInt()) options.origin = info[0].As<Napi::BigInt>().Int64Value(&lossless);
  options.libraryPath = textArgument(info, 1);
  options.calls = !info[2].IsBoolean() || info[2].As<Napi::Boolean>().Value();
  options.oneByOne = info[3].IsBoolean() && info[3].As<Napi::Boolean>().Value();
  auto started = cupti::ActivityTrace::start(options);
  if (!started.ok()) return text(info, errorAnswer(started.error()));
  instance.activity = std::move(started.value());
  Json json;
  json.beginObject()
      .field("library", instance.activity->path())
      .field("version", instance.activity->version())
      .field("ownClock", instance.activity->ownClock())
      .endObject();
  return text(info, json.text());
}

Napi::Value activityRecord(const Info& info) {
  auto& activity = instanceOf(info.Env()).activity;
  if (activity == nullptr) return text(info, errorAnswer(notTracing));
  if (info[0].IsBoolean() && info[0].As<Napi::Boolean>().Value()) return answer(info, activity->resume());
  activity->pause();
  return text(info, "{}");
}

Napi::Value activityFlush(const Info& info) {
  auto& activity = instanceOf(info.Env()).activity;
  return activity == nullptr ? text(info, errorAnswer(notTracing)) : answer(info, activity->flush());
}

// activityDrain(rows: Float64Array) -> rows written
Napi::Value activityDrain(const Info& info) {
  auto& activity = instanceOf(info.Env()).activity;
  if (activity == nullptr || !info[0].IsTypedArray()) return Napi::Number::New(info.Env(), 0);
  auto rows = info[0].As<Napi::Float64Array>();
  const std::size_t count = activity->drain(rows.Data(), rows.ElementLength() / cupti::row::width);
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// activityNames(from) -> JSON [name …]
Napi::Value activityNames(const Info& info) {
  auto& activity = instanceOf(info.Env()).activity;
  Json json;
  json.beginArray();
  if (activity != nullptr) {
    const auto& names = activity->names();
    for (auto i = static_cast<std::size_t>(numberArgument(info, 0, 0)); i < names.size(); ++i) json.value(names[i]);
  }
  json.endArray();
  return text(info, json.text());
}

Napi::Value activityStatus(const Info& info) {
  auto& activity = instanceOf(info.Env()).activity;
  if (activity == nullptr) return text(info, errorAnswer(notTracing));
  Json json;
  json.beginObject()
      .field("records", activity->records())
      .field("dropped", activity->dropped())
      .field("refusedBuffers", activity->refusedBuffers())
      .endObject();
  return text(info, json.text());
}

Napi::Value activityStop(const Info& info) {
  instanceOf(info.Env()).activity.reset();
  return info.Env().Undefined();
}

// countersOpen(runtime, context, cupti, metrics: string[], perKernel, maxRanges) -> JSON {session, chip, passes,
// metrics, refused}
Napi::Value countersOpen(const Info& info) {
  Instance& instance = instanceOf(info.Env());
  const auto runtime = instance.cuda.find(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  if (runtime == instance.cuda.end())
    return text(info, errorAnswer(DriverError{"", 0, "CLOSED", "This CUDA runtime is closed.", "Open it again."}));
  auto context = runtime->second->context(numberArgument(info, 1, -1));
  if (!context.ok()) return text(info, errorAnswer(context.error()));
  cupti::RangeOptions options;
  options.libraryPath = textArgument(info, 2);
  if (info[3].IsArray()) {
    const auto names = info[3].As<Napi::Array>();
    for (std::uint32_t i = 0; i < names.Length(); ++i) options.metrics.push_back(names.Get(i).ToString().Utf8Value());
  }
  options.perKernel = info[4].IsBoolean() && info[4].As<Napi::Boolean>().Value();
  options.maxRanges = static_cast<std::size_t>(numberArgument(info, 5, 1024));
  auto opened = cupti::RangeProfiler::open(context.value(), options);
  if (!opened.ok()) return text(info, errorAnswer(opened.error()));
  const std::uint32_t id = instance.nextId++;
  const cupti::RangeProfiler& counters = *opened.value();
  Json json;
  json.beginObject()
      .field("session", id)
      .field("chip", counters.chip())
      .field("passes", static_cast<std::uint64_t>(counters.passes()))
      .key("metrics")
      .beginArray();
  for (const std::string& name : counters.metrics()) json.value(name);
  json.endArray().key("refused").beginArray();
  for (const auto& [name, reason] : counters.refused())
    json.beginObject().field("metric", name).field("reason", reason).endObject();
  json.endArray().endObject();
  instance.counters[id] = std::move(opened.value());
  return text(info, json.text());
}

// The rest take the session first.
#define DYNO_COUNTERS(name, ...)                                                              \
  Napi::Value name(const Info& info) {                                                        \
    auto& sessions = instanceOf(info.Env()).counters;                                         \
    const auto found = sessions.find(static_cast<std::uint32_t>(numberArgument(info, 0, 0))); \
    if (found == sessions.end()) return text(info, errorAnswer(noCounters));                  \
    cupti::RangeProfiler& counters = *found->second;                                          \
    __VA_ARGS__                                                                               \
  }
DYNO_COUNTERS(countersBegin, return answer(info, counters.begin());)
DYNO_COUNTERS(countersPush, return answer(info, counters.push(textArgument(info, 1)));)
DYNO_COUNTERS(countersPop, return answer(info, counters.pop());)
DYNO_COUNTERS(countersEnd, {
  const auto done = counters.end();
  if (!done.ok()) return text(info, errorAnswer(done.error()));
  return text(info, done.value() ? "{\"done\":true}" : "{\"done\":false}");
})
DYNO_COUNTERS(countersRead, {
  const auto read = counters.read();
  if (!read.ok()) return text(info, errorAnswer(read.error()));
  Json json;
  json.beginObject().key("ranges").beginArray();
  for (const cupti::RangeValues& range : read.value()) {
    json.beginObject().field("name", range.name).key("values").beginArray();
    // JSON has no NaN: a value that the card could not give is -1 here and absent in TypeScript.
    for (const double value : range.values) json.value(std::isfinite(value) ? value : -1.0);
    json.endArray().endObject();
  }
  json.endArray().field("dropped", static_cast<std::uint64_t>(counters.dropped())).endObject();
  return text(info, json.text());
})

Napi::Value countersClose(const Info& info) {
  instanceOf(info.Env()).counters.erase(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return info.Env().Undefined();
}

}  // namespace

void exportCupti(Napi::Env env, Napi::Object exports) {
  const std::pair<const char*, Napi::Value (*)(const Info&)> functions[] = {
      {"activityStart", activityStart}, {"activityRecord", activityRecord}, {"activityFlush", activityFlush},
      {"activityDrain", activityDrain}, {"activityNames", activityNames},   {"activityStatus", activityStatus},
      {"activityStop", activityStop},   {"countersOpen", countersOpen},     {"countersBegin", countersBegin},
      {"countersPush", countersPush},   {"countersPop", countersPop},       {"countersEnd", countersEnd},
      {"countersRead", countersRead},   {"countersClose", countersClose}};
  for (const auto& [name, function] : functions) exports.Set(name, Napi::Function::New(env, function, name));
}

}  // namespace dyno::addon
