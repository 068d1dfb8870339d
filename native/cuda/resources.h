// One owner per driver object: created or an error, destroyed once, never copied. Each keeps its context alive.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cuda/cuda_library.h"

namespace dyno::cuda {

class Resource {
 public:
  Resource() = default;
  virtual ~Resource() = default;
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
};

// The device's primary context, shared with every other CUDA library of the process (cuBLASLt uses it too).
class Context : public Resource {
 public:
  static Result<std::shared_ptr<Context>> open(std::shared_ptr<Library> library, int device) {
    DeviceId id = 0;
    DYNO_CUDA_TRY(*library, deviceGet, &id, device);
    ContextHandle handle = nullptr;
    DYNO_CUDA_TRY(*library, retainPrimary, &handle, id);
    std::shared_ptr<Context> self(new Context());
    self->library_ = std::move(library);
    self->handle_ = handle;
    self->id_ = id;
    self->device_ = device;
    return self;
  }
  ~Context() override { library_->noteFailedRelease(library_->api().releasePrimary(id_)); }

  // Driver calls act on the calling thread's current context: say which before each group of calls.
  Status makeCurrent() const { return library_->check("cuCtxSetCurrent", library_->api().setCurrent(handle_)); }
  Library& library() const { return *library_; }
  const std::shared_ptr<Library>& libraryPointer() const { return library_; }
  const Api& api() const { return library_->api(); }
  ContextHandle handle() const { return handle_; }
  DeviceId id() const { return id_; }
  int device() const { return device_; }
  int attribute(int which) const {
    int value = 0;
    return library_->api().deviceAttribute(&value, which, id_) == success ? value : 0;
  }

 private:
  Context() = default;
  std::shared_ptr<Library> library_;
  ContextHandle handle_ = nullptr;
  DeviceId id_ = 0;
  int device_ = 0;
};

// Everything below belongs to a context.
class Owned : public Resource {
 public:
  const std::shared_ptr<Context>& context() const { return context_; }

 protected:
  explicit Owned(std::shared_ptr<Context> context) : context_(std::move(context)) {}
  template <typename Call>
  void release(Call call) {
    if (context_->makeCurrent().ok()) context_->library().noteFailedRelease(call(context_->api()));
  }
  std::shared_ptr<Context> context_;
};

class Stream : public Owned {
 public:
  static Result<std::shared_ptr<Stream>> create(const std::shared_ptr<Context>& context) {
    DYNO_TRY(context->makeCurrent());
    StreamHandle handle = nullptr;
    DYNO_CUDA_TRY(context->library(), streamCreate, &handle, streamNonBlocking);
    return std::shared_ptr<Stream>(new Stream(context, handle));
  }
  // Lower priorities run first; the driver clamps to its own range.
  static Result<std::shared_ptr<Stream>> create(const std::shared_ptr<Context>& context, int priority) {
    DYNO_TRY(context->makeCurrent());
    StreamHandle handle = nullptr;
    DYNO_CUDA_TRY(context->library(), streamCreateWithPriority, &handle, streamNonBlocking, priority);
    return std::shared_ptr<Stream>(new Stream(context, handle));
  }
  ~Stream() override {
    release([this](const Api& api) { return api.streamDestroy(handle_); });
  }
  StreamHandle handle() const { return handle_; }
  Status synchronize() const {
    DYNO_TRY(context_->makeCurrent());
    DYNO_CUDA_TRY(context_->library(), streamSynchronize, handle_);
    return Nothing{};
  }

 private:
  Stream(std::shared_ptr<Context> context, StreamHandle handle) : Owned(std::move(context)), handle_(handle) {}
  StreamHandle handle_;
};

class Event : public Owned {
 public:
  static Result<std::shared_ptr<Event>> create(const std::shared_ptr<Context>& context, bool timing = true,
                                               bool sleeps = false) {
    DYNO_TRY(context->makeCurrent());
    EventHandle handle = nullptr;
    // A thread that waits for it sleeps, or spins.
    const unsigned flags = (timing ? 0u : eventDisableTiming) | (sleeps ? eventBlockingSync : 0u);
    DYNO_CUDA_TRY(context->library(), eventCreate, &handle, flags);
    return std::shared_ptr<Event>(new Event(context, handle));
  }
  ~Event() override {
    release([this](const Api& api) { return api.eventDestroy(handle_); });
  }
  EventHandle handle() const { return handle_; }
  // Milliseconds from `start`'s record to this one's; both must be complete.
  Result<float> since(const Event& start) const {
    float ms = 0;
    DYNO_CUDA_TRY(context_->library(), eventElapsed, &ms, start.handle_, handle_);
    return ms;
  }

 private:
  Event(std::shared_ptr<Context> context, EventHandle handle) : Owned(std::move(context)), handle_(handle) {}
  EventHandle handle_;
};

class DeviceMemory : public Owned {
 public:
  static Result<std::shared_ptr<DeviceMemory>> allocate(const std::shared_ptr<Context>& context, std::size_t bytes) {
    DYNO_TRY(context->makeCurrent());
    DevicePointer pointer = 0;
    DYNO_CUDA_TRY(context->library(), allocate, &pointer, bytes);
    return std::shared_ptr<DeviceMemory>(new DeviceMemory(context, pointer, bytes));
  }
  ~DeviceMemory() override {
    release([this](const Api& api) { return api.free(pointer_); });
  }
  DevicePointer pointer() const { return pointer_; }
  std::size_t bytes() const { return bytes_; }

 private:
  DeviceMemory(std::shared_ptr<Context> context, DevicePointer pointer, std::size_t bytes)
      : Owned(std::move(context)), pointer_(pointer), bytes_(bytes) {}
  DevicePointer pointer_;
  std::size_t bytes_;
};

class PinnedMemory : public Owned {
 public:
  static Result<std::shared_ptr<PinnedMemory>> allocate(const std::shared_ptr<Context>& context, std::size_t bytes) {
    DYNO_TRY(context->makeCurrent());
    void* pointer = nullptr;
    DYNO_CUDA_TRY(context->library(), allocateHost, &pointer, bytes, 1u);  // 1: portable, pinned for every context
    return std::shared_ptr<PinnedMemory>(new PinnedMemory(context, pointer, bytes));
  }
  ~PinnedMemory() override {
    release([this](const Api& api) { return api.freeHost(pointer_); });
  }
  char* pointer() const { return static_cast<char*>(pointer_); }
  std::size_t bytes() const { return bytes_; }

 private:
  PinnedMemory(std::shared_ptr<Context> context, void* pointer, std::size_t bytes)
      : Owned(std::move(context)), pointer_(pointer), bytes_(bytes) {}
  void* pointer_;
  std::size_t bytes_;
};

class Module : public Owned {
 public:
  static Result<std::shared_ptr<Module>> load(const std::shared_ptr<Context>& context, const void* image) {
    DYNO_TRY(context->makeCurrent());
    ModuleHandle handle = nullptr;
    DYNO_CUDA_TRY(context->library(), moduleLoadData, &handle, image);
    return std::shared_ptr<Module>(new Module(context, handle));
  }
  static Result<std::shared_ptr<Module>> loadFile(const std::shared_ptr<Context>& context, const std::string& path);
  ~Module() override {
    release([this](const Api& api) { return api.moduleUnload(handle_); });
  }
  Result<FunctionHandle> function(const std::string& name) const {
    FunctionHandle found = nullptr;
    if (const Code code = context_->api().moduleGetFunction(&found, handle_, name.c_str()); code != success) {
      DriverError error = context_->library().error("cuModuleGetFunction", code);
      error.message = "The kernel '" + name + "' is not in its module.";
      return error;
    }
    return found;
  }

 private:
  Module(std::shared_ptr<Context> context, ModuleHandle handle) : Owned(std::move(context)), handle_(handle) {}
  ModuleHandle handle_;
};

// A kernel keeps its module loaded.
class Kernel : public Owned {
 public:
  static Result<std::shared_ptr<Kernel>> find(const std::shared_ptr<Module>& module, const std::string& name) {
    auto found = module->function(name);
    if (!found.ok()) return found.error();
    return std::shared_ptr<Kernel>(new Kernel(module, found.value()));
  }
  FunctionHandle handle() const { return handle_; }

 private:
  Kernel(const std::shared_ptr<Module>& module, FunctionHandle handle)
      : Owned(module->context()), module_(module), handle_(handle) {}
  std::shared_ptr<Module> module_;
  FunctionHandle handle_;
};

class Graph : public Owned {
 public:
  // Ends the capture on `stream` and makes it launchable.
  static Result<std::shared_ptr<Graph>> fromCapture(const Stream& stream) {
    const std::shared_ptr<Context>& context = stream.context();
    DYNO_TRY(context->makeCurrent());
    GraphHandle graph = nullptr;
    DYNO_CUDA_TRY(context->library(), endCapture, stream.handle(), &graph);
    GraphExecHandle exec = nullptr;
    const Code code = context->api().graphInstantiate(&exec, graph, 0);
    context->library().noteFailedRelease(context->api().graphDestroy(graph));
    if (code != success) return context->library().error("cuGraphInstantiateWithFlags", code);
    return std::shared_ptr<Graph>(new Graph(context, exec));
  }
  ~Graph() override {
    release([this](const Api& api) { return api.graphExecDestroy(handle_); });
  }
  GraphExecHandle handle() const { return handle_; }

 private:
  Graph(std::shared_ptr<Context> context, GraphExecHandle handle) : Owned(std::move(context)), handle_(handle) {}
  GraphExecHandle handle_;
};

}  // namespace dyno::cuda
