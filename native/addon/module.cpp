// The addon's entry: pins itself, keeps one Instance per environment, and exports the functions that `addon.ts`
// declares.
#include <dlfcn.h>

#include "addon/instance.h"
#include "driver/json.h"

namespace dyno::addon {
namespace {

class Answer : public Napi::AsyncWorker {
 public:
  Answer(const Napi::Env& env, std::function<std::string()> work,
         std::function<std::string(Napi::Env, std::string)> finish)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        finish_(std::move(finish)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { text_ = work_(); }
  void OnOK() override {
    if (finish_) text_ = finish_(Env(), std::move(text_));
    deferred_.Resolve(Napi::String::New(Env(), text_));
  }
  void OnError(const Napi::Error& error) override {
    deferred_.Resolve(Napi::String::New(Env(), errorAnswer(DriverError{"", 0, "ADDON_FAILURE", error.Message(), ""})));
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::function<std::string()> work_;
  std::function<std::string(Napi::Env, std::string)> finish_;
  std::string text_;
};

// A thread may still be inside a hung driver when the last environment goes: the code it returns to must stay mapped.
void pinThisLibrary() {
  Dl_info here{};
  if (dladdr(reinterpret_cast<void*>(&pinThisLibrary), &here) != 0 && here.dli_fname != nullptr)
    dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  pinThisLibrary();
  env.SetInstanceData(new Instance());
  exportTelemetry(env, exports);
  exportCuda(env, exports);
  exportCupti(env, exports);
  exportGemm(env, exports);
  exportTransformer(env, exports);
  exportHttp(env, exports);
  return exports;
}

}  // namespace

Napi::Value answerLater(const Napi::Env& env, std::function<std::string()> work,
                        std::function<std::string(Napi::Env, std::string)> finish) {
  auto* answer = new Answer(env, std::move(work), std::move(finish));  // deletes itself when it is done
  const Napi::Promise promise = answer->promise();
  answer->Queue();
  return promise;
}

std::string textArgument(const Napi::CallbackInfo& info, std::size_t index) {
  return info[index].IsString() ? info[index].As<Napi::String>().Utf8Value() : std::string();
}
double numberArgument(const Napi::CallbackInfo& info, std::size_t index, double otherwise) {
  return info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : otherwise;
}

NODE_API_MODULE(dyno, initialise)

}  // namespace dyno::addon
