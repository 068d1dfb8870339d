// Converts between JavaScript and transformer/: models, pools and instances by number, one queue of answers per model that
// the instances' threads fill and JavaScript's thread empties.
#include <algorithm>
#include <atomic>

#include "addon/instance.h"
#include "driver/json.h"
#include "transformer/copier.h"
#include "transformer/instance.h"

namespace dyno::addon {

using namespace dyno::transformer;
using Info = Napi::CallbackInfo;

// Runs on JavaScript's thread; the environment is null when it is ending.
using Answering = std::function<void(Napi::Env)>;
void callAnswer(Napi::Env env, Napi::Function, std::nullptr_t*, Answering* given) {
  const std::unique_ptr<Answering> owned(given);
  if (*owned) (*owned)(env);
}
using AnswerQueue = Napi::TypedThreadSafeFunction<std::nullptr_t, Answering, callAnswer>;

// A model, its copier, and its queue of answers. The queue keeps the process alive while an answer is due.
struct TransformerSession {
  std::shared_ptr<Model> model;
  std::unique_ptr<Copier> copier;
  AnswerQueue answers;
  std::atomic<bool> ended{false};
  int due = 0;  // on JavaScript's thread

  void expect(Napi::Env env) {
    if (due++ == 0) answers.Ref(env);
  }
  void arrived(Napi::Env env) {
    if (--due == 0 && !ended) answers.Unref(env);
  }
  // From any thread.
  void tell(Answering answering) {
    if (ended) return;
    auto* given = new Answering(std::move(answering));
    if (answers.NonBlockingCall(given) == napi_ok) return;
    ended = true;  // the environment goes
    delete given;
  }
};
struct InstanceSession {
  std::shared_ptr<TransformerSession> owner;
  std::shared_ptr<dyno::transformer::Instance> instance;
};
struct PoolSession {
  std::shared_ptr<TransformerSession> owner;
  std::shared_ptr<KvPool> pool;
};

// Of one environment. Its destructor runs at the environment's end: threads end before their queue goes.
struct Transformers {
  std::map<std::uint32_t, std::shared_ptr<TransformerSession>> models;
  std::map<std::uint32_t, InstanceSession> instances;
  std::map<std::uint32_t, PoolSession> pools;
  void endThreads() {
    for (auto& [id, each] : models) each->ended = true;
    for (auto& [id, each] : instances) each.instance->close();
    for (auto& [id, each] : models) each->copier->close();
  }
};

namespace {

Transformers& transformersOf(Napi::Env env) { return *instanceOf(env).transformers; }
std::uint32_t idArgument(const Info& info, std::size_t index) {
  return static_cast<std::uint32_t>(std::max(numberArgument(info, index, 0), 0.0));
}
Napi::Value text(const Info& info, const std::string& value) { return Napi::String::New(info.Env(), value); }
DriverError closedError(const char* what) {
  return DriverError{"", 0, "CLOSED", std::string("This ") + what + " is closed.", ""};
}

template <typename Array, typename Number>
std::vector<Number> numbersOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  const auto array = value.As<Array>();
  return std::vector<Number>(array.Data(), array.Data() + array.ElementLength());
}
std::vector<std::string> textsOf(const Napi::Value& value) {
  std::vector<std::string> texts;
  if (!value.IsArray()) return texts;
  const auto array = value.As<Napi::Array>();
  texts.reserve(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) texts.push_back(array.Get(i).ToString().Utf8Value());
  return texts;
}
template <typename Array, typename Number>
Array arrayOf(Napi::Env env, const std::vector<Number>& numbers) {
  Array array = Array::New(env, numbers.size());
  if (!numbers.empty()) std::copy(numbers.begin(), numbers.end(), array.Data());
  return array;
}

// transformerOpen(libraries, device, shape, seed, names, files, places, progress) -> JSON
Napi::Value open(const Info& info) {
  const std::vector<std::string> libraries = textsOf(info[0]);
  const std::vector<double> shape = numbersOf<Napi::Float64Array, double>(info[2]);
  if (libraries.size() != 3 || shape.size() != shapeNumberCount || !info[7].IsTypedArray()) {
    Napi::TypeError::New(info.Env(), "transformerOpen: expected three libraries, a shape's numbers and a progress array")
        .ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  OpenOptions options;
  options.kernelFolder = libraries[1];
  options.cublasLtPath = libraries[2];
  options.device = static_cast<int>(numberArgument(info, 1, 0));
  options.shape = shapeFrom(shape.data());
  options.weights.seed = static_cast<std::int64_t>(numberArgument(info, 3, -1));
  options.weights.files = textsOf(info[5]);
  const std::vector<std::string> names = textsOf(info[4]);
  const std::vector<double> places = numbersOf<Napi::Float64Array, double>(info[6]);
  for (std::size_t i = 0; i < names.size() && (i + 1) * 5 <= places.size(); ++i) {
    const double* at = &places[i * 5];
    const auto size = [](double value) { return static_cast<std::size_t>(std::max(value, 0.0)); };
    options.weights.tensors.push_back(
        {names[i], size(at[0]), size(at[1]), size(at[2]), size(at[4]), static_cast<Dtype>(static_cast<int>(at[3]))});
  }
  auto progress = std::make_shared<Napi::Reference<Napi::Float64Array>>(Napi::Persistent(info[7].As<Napi::Float64Array>()));
  options.progress = info[7].As<Napi::Float64Array>().Data();
  struct Opened {
    std::shared_ptr<Model> model;
    std::unique_ptr<Copier> copier;
  };
  auto opened = std::make_shared<Opened>();
  return answerLater(
      info.Env(),
      [options, opened, driver = libraries[0]]() -> std::string {
        auto library = cuda::Library::open(driver);
        if (!library.ok()) return errorAnswer(library.error());
        auto model = Model::open(library.value(), options);
        if (!model.ok()) return errorAnswer(model.error());
        auto copier = Copier::create(model.value());
        if (!copier.ok()) return errorAnswer(copier.error());
        opened->model = model.value();
        opened->copier = std::move(copier.value());
        return "";
      },
      [opened, progress](Napi::Env env, std::string failure) -> std::string {
        progress->Reset();
        if (!failure.empty()) return failure;
        auto session = std::make_shared<TransformerSession>();
        session->model = std::move(opened->model);
        session->copier = std::move(opened->copier);
        session->answers = AnswerQueue::New(env, "dyno transformer", 0, 1, static_cast<std::nullptr_t*>(nullptr));
        session->answers.Unref(env);
        dyno::addon::Instance& data = instanceOf(env);
        if (!data.transformers) data.transformers = std::make_shared<Transformers>();
        // After the queue was made: hooks run in reverse, so that the threads end before the queue does.
        env.AddCleanupHook([held = std::weak_ptr<Transformers>(data.transformers)] {
          if (const auto alive = held.lock()) alive->endThreads();
        });
        const std::uint32_t id = data.nextId++;
        const Model& model = *session->model;
        std::size_t available = 0, total = 0;
        (void)model.context()->makeCurrent().ok();
        model.context()->api().memoryInfo(&available, &total);
        Json json;
        json.beginObject()
            .field("transformer", id)
            .field("parameters", static_cast<std::uint64_t>(model.weights().parameters()))
            .field("weightBytes", static_cast<std::uint64_t>(model.weights().bytes()))
            .field("kvBytesPerToken", static_cast<std::uint64_t>(model.shape().kvBytesPerToken()))
            .field("freeBytes", static_cast<std::uint64_t>(available))
            .field("totalBytes", static_cast<std::uint64_t>(total))
            .field("loadSeconds", model.loadSeconds())
            .field("clockErrorNs", model.clock().mapping().errorNs)
            .endObject();
        data.transformers->models[id] = std::move(session);
        return json.text();
      });
}

std::shared_ptr<TransformerSession> sessionOf(const Info& info) {
  const auto& held = instanceOf(info.Env()).transformers;
  if (!held) return nullptr;
  const auto found = held->models.find(idArgument(info, 0));
  return found == held->models.end() ? nullptr : found->second;
}
const PoolSession* poolOf(const Info& info, std::size_t index) {
  const auto& held = instanceOf(info.Env()).transformers;
  if (!held) return nullptr;
  const auto found = held->pools.find(idArgument(info, index));
  return found == held->pools.end() ? nullptr : &found->second;
}
InstanceSession* servingOf(const Info& info) {
  const auto& held = instanceOf(info.Env()).transformers;
  if (!held) return nullptr;
  const auto found = held->instances.find(idArgument(info, 0));
  return found == held->instances.end() ? nullptr : &found->second;
}

Napi::Value makePool(const Info& info) {
  const auto session = sessionOf(info);
  if (session == nullptr) return text(info, errorAnswer(closedError("transformer")));
  auto pool = KvPool::create(session->model, static_cast<int>(numberArgument(info, 1, 0)),
                             static_cast<int>(numberArgument(info, 2, 0)), info[3].ToBoolean().Value());
  if (!pool.ok()) return text(info, errorAnswer(pool.error()));
  const std::uint32_t id = instanceOf(info.Env()).nextId++;
  transformersOf(info.Env()).pools[id] = {session, pool.value()};
  Json json;
  json.beginObject().field("pool", id).field("bytes", static_cast<std::uint64_t>(pool.value()->bytes())).endObject();
  return text(info, json.text());
}

Napi::Value freePool(const Info& info) {
  const PoolSession* pool = poolOf(info, 0);
  if (pool == nullptr) return text(info, errorAnswer(closedError("KV pool")));
  if (pool->pool.use_count() > 1)
    return text(info, errorAnswer(DriverError{"", 0, "POOL_BUSY", "An instance or a copy uses this KV pool.",
                                              "Close the instance, or wait for the copy, first."}));
  transformersOf(info.Env()).pools.erase(idArgument(info, 0));
  return text(info, "");
}

Napi::Value makeInstance(const Info& info) {
  const auto session = sessionOf(info);
  const PoolSession* pool = poolOf(info, 1);
  if (session == nullptr) return text(info, errorAnswer(closedError("transformer")));
  if (pool == nullptr) return text(info, errorAnswer(closedError("KV pool")));
  dyno::transformer::InstanceOptions options;
  options.maxSequences = static_cast<int>(numberArgument(info, 2, 0));
  options.maxTokens = static_cast<int>(numberArgument(info, 3, 0));
  options.priority = static_cast<int>(numberArgument(info, 4, 0));
  options.smShare = numberArgument(info, 5, 1);
  options.maxContext = static_cast<int>(numberArgument(info, 6, 0));
  auto made = dyno::transformer::Instance::create(session->model, pool->pool, options);
  if (!made.ok()) return text(info, errorAnswer(made.error()));
  const std::uint32_t id = instanceOf(info.Env()).nextId++;
  transformersOf(info.Env()).instances[id] = {session, made.value()};
  Json json;
  json.beginObject()
      .field("instance", id)
      .field("bytes", static_cast<std::uint64_t>(made.value()->bytes()))
      .field("multiprocessors", made.value()->multiprocessors())
      .key("graphBuckets")
      .beginArray();
  for (const int bucket : made.value()->graphBuckets()) json.value(bucket);
  json.endArray().endObject();
  return text(info, json.text());
}

// A JavaScript function that a thread's answer will call. Only JavaScript's thread may let go of it: `done` does. One that the
// environment's end leaves unanswered is left to the environment.
struct Callback {
  Napi::FunctionReference function;
  explicit Callback(const Napi::Value& value) : function(Napi::Persistent(value.As<Napi::Function>())) {}
  ~Callback() { function.SuppressDestruct(); }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  void done() { function.Reset(); }
};

void answerPass(Napi::Env env, const std::shared_ptr<Callback>& callback, const PassOutcome& outcome) {
  const Napi::HandleScope scope(env);
  auto numbers = Napi::Float64Array::New(env, 4);
  numbers[0] = static_cast<double>(outcome.clockErrorNs);
  numbers[1] = outcome.launches;
  numbers[2] = outcome.graph ? 1 : 0;
  numbers[3] = static_cast<double>(outcome.hostCpuNs);
  auto clock = Napi::BigInt64Array::New(env, 2);
  clock[0] = outcome.startNs;
  clock[1] = outcome.endNs;
  callback->function.Call({Napi::String::New(env, outcome.error ? errorAnswer(*outcome.error) : std::string()), numbers,
                           clock, arrayOf<Napi::Int32Array>(env, outcome.tokens),
                           arrayOf<Napi::Float32Array>(env, outcome.confidence),
                           arrayOf<Napi::Float32Array>(env, outcome.logits),
                           arrayOf<Napi::Int32Array>(env, outcome.expertTokens)});
  callback->done();
}

// transformerPass(instance, columns, label, done)
Napi::Value pass(const Info& info) {
  const Napi::Env env = info.Env();
  if (!info[1].IsArray() || info[1].As<Napi::Array>().Length() != 13 || !info[3].IsFunction()) {
    Napi::TypeError::New(env, "transformerPass: expected 13 columns, a label and a function").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto callback = std::make_shared<Callback>(info[3]);
  InstanceSession* serving = servingOf(info);
  if (serving == nullptr) {
    PassOutcome outcome;
    outcome.error = closedError("instance");
    // Later, as every other answer.
    const auto later = Napi::Function::New(env, [callback, outcome](const Info& call) { answerPass(call.Env(), callback, outcome); });
    env.Global().Get("queueMicrotask").As<Napi::Function>().Call({later});
    return env.Undefined();
  }
  const auto columns = info[1].As<Napi::Array>();
  const auto column = [&](std::uint32_t index) { return columns.Get(index); };
  PassPlan plan;
  plan.slots = numbersOf<Napi::Int32Array, std::int32_t>(column(0));
  plan.starts = numbersOf<Napi::Int32Array, std::int32_t>(column(1));
  plan.counts = numbersOf<Napi::Int32Array, std::int32_t>(column(2));
  plan.flags = numbersOf<Napi::Uint8Array, std::uint8_t>(column(3));
  plan.tokens = numbersOf<Napi::Int32Array, std::int32_t>(column(4));
  plan.blockOffsets = numbersOf<Napi::Int32Array, std::int32_t>(column(5));
  plan.blocks = numbersOf<Napi::Int32Array, std::int32_t>(column(6));
  const auto options = numbersOf<Napi::Int32Array, std::int32_t>(column(7));
  if (options.size() == 6) {
    plan.fromLayer = options[0];
    plan.toLayer = options[1];
    plan.head = options[2] != 0;
    plan.confidence = options[3] != 0;
    plan.logits = options[4];
    plan.sampleAll = options[5] != 0;
  }
  plan.temperature = numbersOf<Napi::Float32Array, float>(column(8));
  plan.topP = numbersOf<Napi::Float32Array, float>(column(9));
  plan.draws = numbersOf<Napi::Uint32Array, std::uint32_t>(column(10));
  plan.masks = numbersOf<Napi::Uint32Array, std::uint32_t>(column(11));
  plan.mask = numbersOf<Napi::Int32Array, std::int32_t>(column(12));
  plan.label = textArgument(info, 2);
  const std::shared_ptr<TransformerSession> session = serving->owner;
  session->expect(env);
  serving->instance->submit(std::move(plan), [session, callback = std::move(callback)](PassOutcome&& outcome) mutable {
    auto kept = std::make_shared<PassOutcome>(std::move(outcome));
    TransformerSession& owner = *session;
    owner.tell([session = std::move(session), callback = std::move(callback), kept](Napi::Env answering) {
      if (answering == nullptr) return;
      session->arrived(answering);
      answerPass(answering, callback, *kept);
    });
  });
  return env.Undefined();
}

Napi::Value warm(const Info& info) {
  InstanceSession* serving = servingOf(info);
  if (serving == nullptr) return answerLater(info.Env(), [] { return errorAnswer(closedError("instance")); });
  const auto prefill = numbersOf<Napi::Int32Array, std::int32_t>(info[2]);
  return answerLater(info.Env(), [instance = serving->instance, batch = static_cast<int>(numberArgument(info, 1, 0)),
                                  prefill]() -> std::string {
    const Status done = instance->warm(batch, std::vector<int>(prefill.begin(), prefill.end()));
    return done.ok() ? "" : errorAnswer(done.error());
  });
}

Napi::Value closeInstance(const Info& info) {
  InstanceSession* serving = servingOf(info);
  if (serving == nullptr) return answerLater(info.Env(), [] { return std::string(); });
  auto held = std::make_shared<InstanceSession>(*serving);
  transformersOf(info.Env()).instances.erase(idArgument(info, 0));
  return answerLater(info.Env(), [held]() -> std::string {
    held->instance->close();
    held->instance.reset();
    return "";
  });
}

// transformerCopy(transformer, from, to, pairs, firstLayer, endLayer, eachLayer, told)
Napi::Value copyBlocks(const Info& info) {
  const Napi::Env env = info.Env();
  if (!info[7].IsFunction()) {
    Napi::TypeError::New(env, "transformerCopy: expected a function").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto callback = std::make_shared<Callback>(info[7]);
  const auto answer = [](Napi::Env to, Callback& called, const CopyOutcome& outcome) {
    const Napi::HandleScope scope(to);
    auto clock = Napi::BigInt64Array::New(to, 2);
    clock[0] = outcome.startNs;
    clock[1] = outcome.endNs;
    called.function.Call({Napi::String::New(to, outcome.error ? errorAnswer(*outcome.error) : std::string()),
                          Napi::Number::New(to, outcome.layer), clock,
                          Napi::Number::New(to, static_cast<double>(outcome.clockErrorNs)),
                          Napi::Number::New(to, static_cast<double>(outcome.bytes))});
    if (outcome.layer < 0) called.done();
  };
  const auto session = sessionOf(info);
  const PoolSession *from = poolOf(info, 1), *to = poolOf(info, 2);
  if (session == nullptr || from == nullptr || to == nullptr) {
    CopyOutcome outcome;
    outcome.error = closedError(session == nullptr ? "transformer" : "KV pool");
    const auto later =
        Napi::Function::New(env, [callback, outcome, answer](const Info& call) { answer(call.Env(), *callback, outcome); });
    env.Global().Get("queueMicrotask").As<Napi::Function>().Call({later});
    return env.Undefined();
  }
  session->expect(env);
  session->copier->submit(
      from->pool, to->pool, numbersOf<Napi::Int32Array, std::int32_t>(info[3]),
      static_cast<int>(numberArgument(info, 4, 0)), static_cast<int>(numberArgument(info, 5, 0)),
      info[6].ToBoolean().Value(), [session, callback, answer](CopyOutcome&& outcome) {
        auto kept = std::make_shared<CopyOutcome>(std::move(outcome));
        session->tell([session, callback, kept, answer](Napi::Env answering) {
          if (answering == nullptr) return;
          if (kept->layer < 0) session->arrived(answering);
          answer(answering, *callback, *kept);
        });
      });
  return env.Undefined();
}

Napi::Value memory(const Info& info) {
  const auto session = sessionOf(info);
  if (session == nullptr) return text(info, errorAnswer(closedError("transformer")));
  const cuda::Context& context = *session->model->context();
  if (const Status current = context.makeCurrent(); !current.ok()) return text(info, errorAnswer(current.error()));
  std::size_t available = 0, total = 0;
  const auto asked = context.library().check("cuMemGetInfo_v2", context.api().memoryInfo(&available, &total));
  if (!asked.ok()) return text(info, errorAnswer(asked.error()));
  Json json;
  json.beginObject()
      .field("freeBytes", static_cast<std::uint64_t>(available))
      .field("totalBytes", static_cast<std::uint64_t>(total))
      .endObject();
  return text(info, json.text());
}

// transformerClose(transformer): its instances end, then all memory goes; on a worker thread
Napi::Value close(const Info& info) {
  const auto session = sessionOf(info);
  if (session == nullptr) return answerLater(info.Env(), [] { return std::string(); });
  Transformers& all = transformersOf(info.Env());
  struct Held {
    std::vector<std::shared_ptr<dyno::transformer::Instance>> instances;
    std::vector<std::shared_ptr<KvPool>> pools;
    std::shared_ptr<TransformerSession> session;
  };
  auto held = std::make_shared<Held>();
  held->session = session;
  std::erase_if(all.instances, [&](const auto& each) {
    if (each.second.owner != session) return false;
    held->instances.push_back(each.second.instance);
    return true;
  });
  std::erase_if(all.pools, [&](const auto& each) {
    if (each.second.owner != session) return false;
    held->pools.push_back(each.second.pool);
    return true;
  });
  all.models.erase(idArgument(info, 0));
  return answerLater(
      info.Env(),
      [held]() -> std::string {
        for (auto& each : held->instances) each->close();
        held->instances.clear();
        held->session->copier->close();
        held->session->copier.reset();
        held->pools.clear();
        held->session->model.reset();
        return "";
      },
      [held](Napi::Env, std::string answer) {
        held->session->answers.Release();  // what is queued is still answered
        return answer;
      });
}

}  // namespace

void exportTransformer(Napi::Env env, Napi::Object exports) {
  const auto put = [&](const char* name, Napi::Value (*function)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  put("transformerOpen", open);
  put("transformerPool", makePool);
  put("transformerFreePool", freePool);
  put("transformerInstance", makeInstance);
  put("transformerPass", pass);
  put("transformerWarm", warm);
  put("transformerCloseInstance", closeInstance);
  put("transformerCopy", copyBlocks);
  put("transformerMemory", memory);
  put("transformerClose", close);
}

}  // namespace dyno::addon
