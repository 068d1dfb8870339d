// Converts between JavaScript and nvml/: sessions by number, cold answers as JSON text, samples as columns that
// JavaScript handed over.
#include <algorithm>

#include "addon/instance.h"
#include "driver/deadline.h"
#include "driver/json.h"
#include "nvml/queries.h"

namespace dyno::addon {
namespace {

using nvml::Library;

constexpr std::chrono::milliseconds driverDeadline{15'000};

std::string noAnswer(const char* what) {
  return errorAnswer(DriverError{what, 0, "DRIVER_HUNG", std::string(what) + " got no answer from the driver in 15 s.",
                                 "A GPU hangs inside the driver: see the kernel log, then reset it or reboot."});
}
std::string noSession() {
  return errorAnswer(DriverError{"", 0, "CLOSED", "This telemetry session is closed.", "Open telemetry again."});
}

std::string alreadySampling() {
  return errorAnswer(DriverError{"", 0, "ALREADY_SAMPLING", "This telemetry session samples already.",
                                 "Stop it first, or open another session."});
}

std::shared_ptr<TelemetrySession> sessionOf(const Napi::CallbackInfo& info) {
  auto& sessions = instanceOf(info.Env()).telemetry;
  const auto found = sessions.find(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return found == sessions.end() ? nullptr : found->second;
}

Napi::Value open(const Napi::CallbackInfo& info) {
  const std::string path = textArgument(info, 0);
  auto session = std::make_shared<TelemetrySession>();
  return answerLater(
      info.Env(),
      [path, session]() -> std::string {
        auto opened = withDeadline(driverDeadline, [path] { return Library::open(path); });
        if (!opened) return noAnswer("nvmlInit_v2");
        if (!opened->ok()) return errorAnswer(opened->error());
        session->library = opened->value();
        return "";
      },
      [session](Napi::Env env, std::string failure) -> std::string {
        if (!failure.empty()) return failure;
        Instance& instance = instanceOf(env);
        const std::uint32_t id = instance.nextId++;
        instance.telemetry[id] = session;
        Json json;
        json.beginObject()
            .field("session", id)
            .field("library", session->library->path())
            .field("gpus", static_cast<unsigned>(session->library->devices().size()))
            .endObject();
        return json.text();
      });
}

// query(session, "list" | "topology" | "processes" | "describe", sysfsRoot) -> JSON
Napi::Value query(const Napi::CallbackInfo& info) {
  const auto session = sessionOf(info);
  const std::string what = textArgument(info, 1);
  const std::string sysfs = textArgument(info, 2);
  return answerLater(info.Env(), [session, what, sysfs]() -> std::string {
    if (session == nullptr) return noSession();
    auto answer = withDeadline(driverDeadline, [library = session->library, what, sysfs]() -> std::string {
      if (what == "list") return nvml::listGpus(*library);
      if (what == "topology") return nvml::describeTopology(*library, sysfs.empty() ? "/sys" : sysfs);
      if (what == "processes") return nvml::listProcesses(*library);
      return nvml::describeMetrics(*library, nvml::probeReaders(library, {}));
    });
    return answer ? std::move(*answer) : noAnswer("NVML");
  });
}

using HighResolution = std::vector<std::shared_ptr<cupti::PmSampling>>;

// Starts the high-resolution source for each sampled GPU that CUDA can see; their PCI addresses tie the two numberings.
Status startHighResolution(HighResolution& sources, const nvml::Library& library, const nvml::SamplerOptions& options,
                           nvml::Ns interval, const std::string& cuptiPath, const std::string& cudaPath) {
  auto driver = cuda::Library::open(cudaPath);
  if (!driver.ok()) return driver.error();
  const cuda::Api& api = driver.value()->api();
  for (unsigned gpu = 0; gpu < library.devices().size(); ++gpu) {
    nvml::PciInfo pci{};
    const bool wanted =
        options.gpus.empty() || std::find(options.gpus.begin(), options.gpus.end(), gpu) != options.gpus.end();
    if (!wanted || library.devices()[gpu] == nullptr || library.api().pciInfo == nullptr ||
        library.api().pciInfo(library.devices()[gpu], &pci) != nvml::success)
      continue;
    for (int device = 0; device < driver.value()->deviceCount(); ++device) {
      cuda::DeviceId id = 0;
      int bus = -1, slot = -1, domain = -1;
      if (api.deviceGet(&id, device) != cuda::success) continue;
      api.deviceAttribute(&bus, cuda::attribute::pciBus, id);
      api.deviceAttribute(&slot, cuda::attribute::pciDevice, id);
      api.deviceAttribute(&domain, cuda::attribute::pciDomain, id);
      if (bus != static_cast<int>(pci.bus) || slot != static_cast<int>(pci.device) ||
          domain != static_cast<int>(pci.domain))
        continue;
      auto started = cupti::PmSampling::start({cuptiPath, device, gpu, interval, options.origin});
      if (!started.ok()) return started.error();
      sources.emplace_back(std::move(started.value()));
    }
  }
  if (sources.empty())
    return DriverError{"", 0, "GPU_NOT_MATCHED", "CUDA lists none of the sampled GPUs.",
                       "Look at CUDA_VISIBLE_DEVICES."};
  return Nothing{};
}

std::string describeHighResolution(const HighResolution& sources) {
  Json json;
  json.beginArray();
  for (const auto& each : sources) {
    json.beginObject().field("gpu", each->gpu()).key("metrics").beginArray();
    for (const nvml::Metric metric : each->metrics()) json.value(nvml::metricIds[nvml::indexOf(metric)]);
    json.endArray().key("refused").beginArray();
    for (const auto& [metric, reason] : each->refused())
      json.beginObject().field("metric", nvml::metricIds[nvml::indexOf(metric)]).field("reason", reason).endObject();
    json.endArray()
        .field("anchorUncertaintyNs", each->anchorUncertainty())
        .field("decoded", each->decoded())
        .field("overflowed", each->overflowed());
    json.field("coverage", each->coverage()).field("cpuTime", each->cpuTime()).endObject();
  }
  json.endArray();
  return json.text();
}

// start(session, gpus, metrics, origin: bigint, periods [fast, gpm, slow] ms, hangAfterMs, ringCapacity, blockingPcie,
//       high-resolution interval in ns or 0, CUPTI, CUDA) -> JSON {metrics per GPU}
Napi::Value start(const Napi::CallbackInfo& info) {
  const auto session = sessionOf(info);
  nvml::SamplerOptions options;
  const auto numbers = [](const Napi::Value& value) {
    std::vector<double> list;
    if (!value.IsArray()) return list;
    const auto array = value.As<Napi::Array>();
    for (std::uint32_t i = 0; i < array.Length(); ++i) list.push_back(array.Get(i).ToNumber().DoubleValue());
    return list;
  };
  for (const double gpu : numbers(info[1])) options.gpus.push_back(static_cast<unsigned>(gpu));
  for (const double metric : numbers(info[2])) {
    if (metric >= 0 && metric < static_cast<double>(nvml::metricCount))
      options.wanted.set(static_cast<std::size_t>(metric));
  }
  bool lossless = false;
  if (info[3].IsBigInt()) options.origin = info[3].As<Napi::BigInt>().Int64Value(&lossless);
  constexpr double nsPerMs = 1e6;
  const std::vector<double> periods = numbers(info[4]);
  if (periods.size() == 3) {
    options.fastPeriod = static_cast<nvml::Ns>(periods[0] * nsPerMs);
    options.gpmPeriod = std::max<nvml::Ns>(static_cast<nvml::Ns>(periods[1] * nsPerMs), 110'000'000);
    options.slowPeriod = static_cast<nvml::Ns>(periods[2] * nsPerMs);
  }
  options.hangAfter = static_cast<nvml::Ns>(numberArgument(info, 5, 3000) * nsPerMs);
  options.ringCapacity = static_cast<std::size_t>(numberArgument(info, 6, 1 << 15));
  options.blockingPcie = info[7].IsBoolean() && info[7].As<Napi::Boolean>().Value();

  const auto interval = static_cast<nvml::Ns>(numberArgument(info, 8, 0));
  const std::string cuptiPath = textArgument(info, 9), cudaPath = textArgument(info, 10);
  auto readers = std::make_shared<std::vector<std::shared_ptr<nvml::GpuReader>>>();
  if (session == nullptr) return answerLater(info.Env(), [] { return noSession(); });
  if (session->sampler && !session->sampler->stopped()) return answerLater(info.Env(), [] { return alreadySampling(); });
  // The session changes on JavaScript's thread only: the worker ends the old sources and makes new ones beside it.
  auto old = std::make_shared<HighResolution>(std::move(session->highResolution));
  session->highResolution.clear();
  auto sources = std::make_shared<HighResolution>();
  return answerLater(
      info.Env(),
      [library = session->library, options, readers, interval, cuptiPath, cudaPath, old, sources]() -> std::string {
        old->clear();
        auto probed = withDeadline(driverDeadline, [library, gpus = options.gpus] {
          return nvml::probeReaders(library, gpus);
        });
        if (!probed) return noAnswer("NVML");
        *readers = std::move(*probed);
        // PM sampling and GPM read the same hardware: never both at once.
        if (interval > 0) {
          for (const auto& reader : *readers) reader->withoutGpm();
          if (const Status started = startHighResolution(*sources, *library, options, interval, cuptiPath, cudaPath);
              !started.ok()) {
            sources->clear();
            return errorAnswer(started.error());
          }
        }
        return "";
      },
      [session, options, readers, sources](Napi::Env, std::string failure) -> std::string {
        if (!failure.empty()) return failure;
        if (session->sampler && !session->sampler->stopped()) return alreadySampling();
        session->highResolution = std::move(*sources);
        session->sampler = std::make_shared<nvml::Sampler>(session->library, *readers, options);
        return nvml::describeMetrics(*session->library, *readers);
      });
}

// drain(session, t, gpu, metric, value, status): writes the columns and status = [count, still waiting, dropped, ended
// or events to take, cpu ns]
Napi::Value drain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto session = sessionOf(info);
  if (!info[1].IsTypedArray() || !info[2].IsTypedArray() || !info[3].IsTypedArray() || !info[4].IsTypedArray() ||
      !info[5].IsTypedArray()) {
    Napi::TypeError::New(env, "drain: expected the columns t, gpu, metric, value and status")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto t = info[1].As<Napi::Float64Array>();
  auto gpu = info[2].As<Napi::Uint16Array>();
  auto metric = info[3].As<Napi::Uint16Array>();
  auto value = info[4].As<Napi::Float64Array>();
  auto status = info[5].As<Napi::Float64Array>();
  const std::size_t capacity = std::min(std::min(t.ElementLength(), gpu.ElementLength()),
                                        std::min(metric.ElementLength(), value.ElementLength()));
  if (status.ElementLength() < 4) return env.Undefined();
  for (std::size_t i = 0; i < 4; ++i) status[i] = 0;
  if (session == nullptr || session->sampler == nullptr) return Napi::Number::New(env, 0);
  nvml::Sampler& sampler = *session->sampler;
  std::size_t count = sampler.drain(t.Data(), gpu.Data(), metric.Data(), value.Data(), capacity);
  std::size_t waiting = sampler.waiting();
  std::uint64_t dropped = sampler.dropped(), cpuTime = sampler.cpuTime();
  for (const auto& each : session->highResolution) {
    count += each->ring().drain(capacity - count, [&, at = count](const nvml::Sample& sample) mutable {
      t[at] = static_cast<double>(sample.time);
      gpu[at] = sample.gpu;
      metric[at] = static_cast<std::uint16_t>(sample.metric);
      value[at] = sample.value;
      ++at;
    });
    waiting += each->ring().waiting();
    dropped += each->ring().dropped();
    cpuTime += each->cpuTime();
  }
  status[0] = static_cast<double>(count);
  status[1] = static_cast<double>(waiting);
  status[2] = static_cast<double>(dropped);
  status[3] = static_cast<double>(cpuTime);
  return Napi::Number::New(env, static_cast<double>(count));
}

// notices(session) -> JSON {ended, events}; also the watchdog's turn
Napi::Value notices(const Napi::CallbackInfo& info) {
  const auto session = sessionOf(info);
  Json json;
  json.beginObject().key("ended").beginArray();
  if (session && session->sampler) {
    for (const nvml::EndNotice& end : session->sampler->takeEnded()) {
      json.beginObject().field("gpu", end.gpu).field("t", end.time).field("reason", nvml::endReasonName(end.reason));
      if (end.reason != nvml::EndReason::hung) json.field("message", session->library->error("NVML", end.code).message);
      json.endObject();
    }
  }
  json.endArray().key("events").beginArray();
  if (session && session->sampler) {
    for (const nvml::EventNotice& event : session->sampler->takeEvents()) {
      json.beginObject()
          .field("gpu", static_cast<unsigned>(event.gpu))
          .field("t", event.time)
          .field("type", event.type)
          .field("data", event.data)
          .endObject();
    }
  }
  json.endArray().endObject();
  return Napi::String::New(info.Env(), json.text());
}

// stop(session) -> JSON: ends sampling; what the rings hold can still be drained until close.
Napi::Value stop(const Napi::CallbackInfo& info) {
  const auto session = sessionOf(info);
  if (session == nullptr) return answerLater(info.Env(), [] { return noSession(); });
  // References of its own: `close` and `start` change the session on JavaScript's thread meanwhile.
  return answerLater(info.Env(), [sampler = session->sampler, sources = session->highResolution]() -> std::string {
    if (sampler) sampler->stop();
    for (const auto& each : sources) each->stop();
    return "{\"highResolution\":" + describeHighResolution(sources) + "}";
  });
}

Napi::Value close(const Napi::CallbackInfo& info) {
  const auto session = sessionOf(info);
  instanceOf(info.Env()).telemetry.erase(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  // nvmlShutdown may block on a hung card: never on the JavaScript thread.
  auto held = std::make_shared<std::shared_ptr<TelemetrySession>>(session);
  const_cast<std::shared_ptr<TelemetrySession>&>(session).reset();
  return answerLater(info.Env(), [held]() -> std::string {
    if (*held) {
      if ((*held)->sampler) (*held)->sampler->stop();
      (*held)->highResolution.clear();
    }
    held->reset();
    return "{}";
  });
}

Napi::Value metricIds(const Napi::CallbackInfo& info) {
  Json json;
  json.beginArray();
  for (const std::string_view id : nvml::metricIds) json.value(id);
  json.endArray();
  return Napi::String::New(info.Env(), json.text());
}

}  // namespace

void exportTelemetry(Napi::Env env, Napi::Object exports) {
  const std::pair<const char*, Napi::Value (*)(const Napi::CallbackInfo&)> functions[] = {
      {"telemetryOpen", open},   {"telemetryQuery", query},        {"telemetryStart", start},
      {"telemetryDrain", drain}, {"telemetryNotices", notices},    {"telemetryStop", stop},
      {"telemetryClose", close}, {"telemetryMetricIds", metricIds}};
  for (const auto& [name, function] : functions) exports.Set(name, Napi::Function::New(env, function, name));
}

}  // namespace dyno::addon
