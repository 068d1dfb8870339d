// Converts between JavaScript and http/: receivers by number, records as rows of doubles and bytes that JavaScript handed
// over, one wake-up per batch.
#include <algorithm>
#include <cstring>

#include "addon/instance.h"
#include "driver/json.h"
#include "http/receiver.h"
#include "http/stamped_server.h"

namespace dyno::addon {

// The receiver and what calls JavaScript when records wait. The function goes after the threads that call it.
struct HttpSession {
  Napi::ThreadSafeFunction wake;
  std::unique_ptr<http::Receiver> receiver;
  std::int64_t origin = 0;
  bool stopped = false;

  ~HttpSession() { stop(); }
  void stop() {
    if (stopped) return;
    stopped = true;
    if (receiver) receiver->stop();
    if (wake) wake.Release();
  }
};

namespace {

using Info = Napi::CallbackInfo;

constexpr std::size_t rowWidth = 5;

Napi::Value text(const Info& info, const std::string& value) { return Napi::String::New(info.Env(), value); }
const DriverError closed{"", 0, "CLOSED", "This receiver is closed.", "Open it again."};

std::shared_ptr<HttpSession> sessionOf(const Info& info) {
  auto& sessions = instanceOf(info.Env()).http;
  const auto found = sessions.find(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return found == sessions.end() ? nullptr : found->second;
}

// httpOpen(threads, ringBytes, kernelStamps, spinNs, origin: bigint, wake) -> JSON {session}
Napi::Value open(const Info& info) {
  Napi::Env env = info.Env();
  if (!info[5].IsFunction()) {
    Napi::TypeError::New(env, "httpOpen: expected a wake function").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  http::ReceiverOptions options;
  options.threads = static_cast<unsigned>(std::clamp(numberArgument(info, 0, 1), 1.0, 64.0));
  options.ringBytes = static_cast<std::size_t>(std::clamp(numberArgument(info, 1, 8 << 20), 4096.0, 1073741824.0));
  options.kernelStamps = !info[2].IsBoolean() || info[2].As<Napi::Boolean>().Value();
  options.spinNs = static_cast<std::int64_t>(std::clamp(numberArgument(info, 3, 60'000), 0.0, 10e6));
  auto session = std::make_shared<HttpSession>();
  bool lossless = false;
  if (info[4].IsBigInt()) session->origin = info[4].As<Napi::BigInt>().Int64Value(&lossless);
  session->wake = Napi::ThreadSafeFunction::New(env, info[5].As<Napi::Function>(), "dyno http receiver", 0, 1);
  auto started = http::Receiver::start(options, [wake = session->wake]() { wake.NonBlockingCall(); });
  if (!started.ok()) return text(info, errorAnswer(started.error()));
  session->receiver = std::move(started.value());
  Instance& instance = instanceOf(env);
  const std::uint32_t id = instance.nextId++;
  instance.http[id] = session;
  // Before the thread-safe function's own clean-up: the threads must not call it once the environment goes.
  env.AddCleanupHook([weak = std::weak_ptr(session)]() {
    if (const auto open = weak.lock()) open->stop();
  });
  Json json;
  json.beginObject().field("session", id).endObject();
  return text(info, json.text());
}

// The request is copied: JavaScript may use its buffer again at once.
bool requestArgument(const Info& info, std::size_t index, std::vector<char>& to) {
  if (!info[index].IsTypedArray()) return false;
  const auto bytes = info[index].As<Napi::Uint8Array>();
  const auto* from = reinterpret_cast<const char*>(bytes.Data());
  to.assign(from, from + bytes.ByteLength());
  return true;
}

// httpConnect(session, connection, host, port, request: Uint8Array, due ns after origin) -> JSON
Napi::Value connect(const Info& info) {
  const auto session = sessionOf(info);
  if (session == nullptr || session->stopped) return text(info, errorAnswer(closed));
  std::vector<char> request;
  if (!requestArgument(info, 4, request)) return text(info, errorAnswer(closed));
  const Status opened = session->receiver->open(
      static_cast<std::uint32_t>(numberArgument(info, 1, 0)), textArgument(info, 2),
      static_cast<std::uint16_t>(numberArgument(info, 3, 0)), std::move(request),
      session->origin + static_cast<std::int64_t>(numberArgument(info, 5, 0)));
  return text(info, opened.ok() ? "{}" : errorAnswer(opened.error()));
}

// httpSend(session, connection, request: Uint8Array, due)
Napi::Value send(const Info& info) {
  const auto session = sessionOf(info);
  std::vector<char> request;
  if (session == nullptr || session->stopped || !requestArgument(info, 2, request)) return text(info, errorAnswer(closed));
  session->receiver->send(static_cast<std::uint32_t>(numberArgument(info, 1, 0)), std::move(request),
                          session->origin + static_cast<std::int64_t>(numberArgument(info, 3, 0)));
  return text(info, "{}");
}

Napi::Value drop(const Info& info) {
  const auto session = sessionOf(info);
  if (session != nullptr && !session->stopped)
    session->receiver->drop(static_cast<std::uint32_t>(numberArgument(info, 1, 0)));
  return info.Env().Undefined();
}

// httpDrain(session, rows: Float64Array, bytes: Uint8Array) -> rows written. A row is
// [kind, connection, ns after origin, errno, length]; the payloads lie one after the other in `bytes`. A negative answer:
// as many rows, and more wait.
Napi::Value drain(const Info& info) {
  const auto session = sessionOf(info);
  if (session == nullptr || !info[1].IsTypedArray() || !info[2].IsTypedArray()) return Napi::Number::New(info.Env(), 0);
  auto rows = info[1].As<Napi::Float64Array>();
  auto bytes = info[2].As<Napi::Uint8Array>();
  double* row = rows.Data();
  unsigned char* to = bytes.Data();
  const std::size_t most = rows.ElementLength() / rowWidth, room = bytes.ByteLength();
  std::size_t count = 0, used = 0;
  bool left = false;
  session->receiver->drain([&](const http::RecordHead& head, const unsigned char* payload) {
    if (count == most || room - used < head.length) {
      left = true;
      return false;
    }
    if (head.length > 0) std::memcpy(to + used, payload, head.length);
    used += head.length;
    double* at = row + count++ * rowWidth;
    at[0] = static_cast<double>(head.kind);
    at[1] = head.connection;
    at[2] = static_cast<double>(head.time - session->origin);
    at[3] = head.value;
    at[4] = head.length;
    return true;
  });
  return Napi::Number::New(info.Env(), left ? -static_cast<double>(count) : static_cast<double>(count));
}

Napi::Value status(const Info& info) {
  const auto session = sessionOf(info);
  if (session == nullptr) return text(info, errorAnswer(closed));
  const http::ReceiverStatus now = session->receiver->status();
  Json json;
  json.beginObject()
      .field("kernelStamps", now.kernelStamps)
      .field("realtime", now.realtime)
      .field("kernelReads", now.kernelReads)
      .field("clockReads", now.clockReads)
      .field("stalls", now.stalls)
      .field("stalledNs", now.stalledNs)
      .field("clockErrorNs", now.clockError)
      .field("clockSteps", now.clockSteps)
      .field("cpuNs", now.cpuNs)
      .field("open", now.open)
      .endObject();
  return text(info, json.text());
}

Napi::Value close(const Info& info) {
  if (const auto session = sessionOf(info)) session->stop();
  instanceOf(info.Env()).http.erase(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  return info.Env().Undefined();
}

// stampedServerStart(port) -> JSON {server, port}
Napi::Value serverStart(const Info& info) {
  auto started = http::StampedServer::start(static_cast<std::uint16_t>(numberArgument(info, 0, 0)));
  if (!started.ok()) return text(info, errorAnswer(started.error()));
  Instance& instance = instanceOf(info.Env());
  const std::uint32_t id = instance.nextId++;
  const std::uint16_t port = started.value()->port();
  instance.stampedServers[id] = std::move(started.value());
  Json json;
  json.beginObject().field("server", id).field("port", static_cast<unsigned>(port)).endObject();
  return text(info, json.text());
}

// stampedServerStop(server) -> JSON {events, blocked}
Napi::Value serverStop(const Info& info) {
  auto& servers = instanceOf(info.Env()).stampedServers;
  const auto found = servers.find(static_cast<std::uint32_t>(numberArgument(info, 0, 0)));
  if (found == servers.end()) return text(info, errorAnswer(closed));
  found->second->stop();
  Json json;
  json.beginObject().field("events", found->second->events()).field("blocked", found->second->blocked()).endObject();
  servers.erase(found);
  return text(info, json.text());
}

}  // namespace

void exportHttp(Napi::Env env, Napi::Object exports) {
  const std::pair<const char*, Napi::Value (*)(const Napi::CallbackInfo&)> functions[] = {
      {"httpOpen", open},     {"httpConnect", connect}, {"httpSend", send},
      {"httpDrop", drop},     {"httpDrain", drain},     {"httpStatus", status},
      {"httpClose", close},   {"stampedServerStart", serverStart}, {"stampedServerStop", serverStop}};
  for (const auto& [name, function] : functions) exports.Set(name, Napi::Function::New(env, function, name));
}

}  // namespace dyno::addon
