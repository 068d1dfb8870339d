// Converts between JavaScript and engine/cublaslt: one matrix product, planned once and queued many times.
#include "addon/instance.h"
#include "driver/json.h"
#include "engine/cublaslt.h"

namespace dyno::addon {
namespace {

using Info = Napi::CallbackInfo;
using engine::Precision;

Napi::Value text(const Info& info, const std::string& value) { return Napi::String::New(info.Env(), value); }

std::optional<Precision> precisionNamed(const std::string& name) {
  for (const Precision each :
       {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16, Precision::fp8, Precision::int8}) {
    if (name == engine::precisionName(each)) return each;
  }
  return std::nullopt;
}

std::shared_ptr<cuda::Runtime> runtimeOf(const Info& info) {
  auto& runtimes = instanceOf(info.Env()).cuda;
  const auto found = runtimes.find(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return found == runtimes.end() ? nullptr : found->second;
}
const DriverError closed{"", 0, "CLOSED", "This matrix product or its CUDA runtime is closed.", "Plan it again."};

// gemmPlan(runtime, context, cublasLt, precision, m, n, k) -> JSON {plan, candidates, version}
Napi::Value plan(const Info& info) {
  Instance& instance = instanceOf(info.Env());
  const auto runtime = runtimeOf(info);
  if (runtime == nullptr) return text(info, errorAnswer(closed));
  auto context = runtime->context(numberArgument(info, 1, -1));
  if (!context.ok()) return text(info, errorAnswer(context.error()));
  const auto precision = precisionNamed(textArgument(info, 3));
  if (!precision) return text(info, errorAnswer(DriverError{"", 0, "PRECISION", "Unknown precision.", ""}));
  auto blas = engine::CublasLt::open(textArgument(info, 2));
  if (!blas.ok()) return text(info, errorAnswer(blas.error()));
  const auto size = [&](std::size_t index) {
    return static_cast<std::uint64_t>(std::max(numberArgument(info, index, 0), 0.0));
  };
  auto planned = engine::Gemm::plan(blas.value(), context.value(), *precision, size(4), size(5), size(6));
  if (!planned.ok()) return text(info, errorAnswer(planned.error()));
  const std::uint32_t id = instance.nextId++;
  Json json;
  json.beginObject()
      .field("plan", id)
      .field("candidates", static_cast<std::uint64_t>(planned.value()->candidates()))
      .field("version", static_cast<std::uint64_t>(blas.value()->version()))
      .endObject();
  instance.gemms[id] = std::move(planned.value());
  return text(info, json.text());
}

// gemmRun(runtime, plan, candidate, stream, a, b, d) -> JSON; queues D = A·B
Napi::Value run(const Info& info) {
  const auto runtime = runtimeOf(info);
  auto& gemms = instanceOf(info.Env()).gemms;
  const auto found = gemms.find(static_cast<std::uint32_t>(numberArgument(info, 1, 0)));
  if (runtime == nullptr || found == gemms.end()) return text(info, errorAnswer(closed));
  const auto candidate = static_cast<std::size_t>(std::max(numberArgument(info, 2, 0), 0.0));
  if (candidate >= found->second->candidates()) return text(info, errorAnswer(closed));
  auto stream = runtime->stream(numberArgument(info, 3, -1));
  if (!stream.ok()) return text(info, errorAnswer(stream.error()));
  cuda::DevicePointer pointers[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    auto address = runtime->deviceAddress(numberArgument(info, 4 + i, -1), 0, 0);
    if (!address.ok()) return text(info, errorAnswer(address.error()));
    pointers[i] = address.value();
  }
  const Status current = stream.value()->context()->makeCurrent();
  if (!current.ok()) return text(info, errorAnswer(current.error()));
  found->second->choose(candidate);
  const Status queued = found->second->run(pointers[0], pointers[1], pointers[2], stream.value()->handle());
  return text(info, queued.ok() ? "{}" : errorAnswer(queued.error()));
}

Napi::Value release(const Info& info) {
  instanceOf(info.Env()).gemms.erase(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return info.Env().Undefined();
}

}  // namespace

void exportGemm(Napi::Env env, Napi::Object exports) {
  exports.Set("gemmPlan", Napi::Function::New(env, plan, "gemmPlan"));
  exports.Set("gemmRun", Napi::Function::New(env, run, "gemmRun"));
  exports.Set("gemmFree", Napi::Function::New(env, release, "gemmFree"));
}

}  // namespace dyno::addon
