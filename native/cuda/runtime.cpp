#include "cuda/runtime.h"

#include <cmath>
#include <cstring>
#include <map>

#include "driver/json.h"

namespace dyno::cuda {
namespace {

constexpr double slotSpan = 16777216.0;  // 2^24

DriverError misuse(const char* name, const std::string& message) {
  return DriverError{"", 0, name, message, "This is a mistake in the calling code, not in the driver."};
}

}  // namespace

const char* kindName(Kind kind) {
  switch (kind) {
    case Kind::none: return "nothing";
    case Kind::context: return "context";
    case Kind::stream: return "stream";
    case Kind::event: return "event";
    case Kind::buffer: return "buffer";
    case Kind::pinned: return "pinned buffer";
    case Kind::module: return "module";
    case Kind::kernel: return "kernel";
    case Kind::graph: return "graph";
  }
  return "nothing";
}

Handle Runtime::keep(Kind kind, std::shared_ptr<Resource> resource) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.kind = kind;
  slot.generation += 1;
  slot.resource = std::move(resource);
  return static_cast<double>(slot.generation) * slotSpan + index;
}

Result<const Runtime::Slot*> Runtime::slot(Handle handle) const {
  if (!(handle >= slotSpan) || handle != std::floor(handle)) return misuse("HANDLE_UNKNOWN", "This is no CUDA handle.");
  const double generation = std::floor(handle / slotSpan);
  const auto index = static_cast<std::size_t>(handle - generation * slotSpan);
  if (index >= slots_.size()) return misuse("HANDLE_UNKNOWN", "This is no CUDA handle.");
  const Slot& found = slots_[index];
  if (found.generation != generation || found.kind == Kind::none)
    return misuse("HANDLE_FREED", "This CUDA handle was freed.");
  return &found;
}

template <typename T>
Result<std::shared_ptr<T>> Runtime::get(Handle handle, Kind kind) const {
  auto found = slot(handle);
  if (!found.ok()) return found.error();
  if (found.value()->kind != kind)
    return misuse("HANDLE_KIND",
                  std::string("Expected a ") + kindName(kind) + ", got a " + kindName(found.value()->kind) + ".");
  return std::static_pointer_cast<T>(found.value()->resource);
}

Result<std::shared_ptr<Context>> Runtime::context(Handle handle) const { return get<Context>(handle, Kind::context); }

#define DYNO_GET(name, Type, handle, kind)           \
  auto name##Found = get<Type>(handle, Kind::kind);  \
  if (!name##Found.ok()) return name##Found.error(); \
  const std::shared_ptr<Type>& name = name##Found.value()
#define DYNO_KEEP(kind, creation)            \
  auto created = creation;                   \
  if (!created.ok()) return created.error(); \
  return keep(Kind::kind, std::move(created.value()))

std::string Runtime::describeDevices() const {
  const Api& api = library_->api();
  Json json;
  json.beginObject()
      .field("driverVersion",
             std::to_string(library_->version() / 1000) + "." + std::to_string(library_->version() % 1000 / 10))
      .key("devices")
      .beginArray();
  for (int device = 0; device < library_->deviceCount(); ++device) {
    DeviceId id = 0;
    if (api.deviceGet(&id, device) != success) continue;
    const auto attribute = [&](int which) {
      int value = 0;
      return api.deviceAttribute(&value, which, id) == success ? value : 0;
    };
    char name[128] = "";
    std::size_t total = 0;
    char uuid[16] = {};
    json.beginObject().field("index", device);
    if (api.deviceName(name, sizeof name, id) == success) json.field("name", name);
    if (api.deviceTotalMemory(&total, id) == success) json.field("memoryBytes", static_cast<std::uint64_t>(total));
    if (api.deviceUuid(&uuid, id) == success) {
      char text[48];
      const auto byte = [&](int i) { return static_cast<unsigned>(static_cast<unsigned char>(uuid[i])); };
      std::snprintf(text, sizeof text, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                    byte(0), byte(1), byte(2), byte(3), byte(4), byte(5), byte(6), byte(7), byte(8), byte(9), byte(10),
                    byte(11), byte(12), byte(13), byte(14), byte(15));
      json.field("uuid", text);
    }
    char address[32];
    std::snprintf(address, sizeof address, "%04x:%02x:%02x.0", static_cast<unsigned>(attribute(attribute::pciDomain)),
                  static_cast<unsigned>(attribute(attribute::pciBus)),
                  static_cast<unsigned>(attribute(attribute::pciDevice)));
    json.field("pciAddress", address);
    json.field("computeCapability", std::to_string(attribute(attribute::capabilityMajor)) + "." +
                                        std::to_string(attribute(attribute::capabilityMinor)));
    json.field("multiprocessors", attribute(attribute::multiprocessors))
        .field("l2Bytes", attribute(attribute::l2Bytes));
    json.field("sharedBytesPerBlock", attribute(attribute::sharedPerBlockOptIn))
        .field("copyEngines", attribute(attribute::asyncEngines))
        .endObject();
  }
  json.endArray().endObject();
  return json.text();
}

Result<Handle> Runtime::openContext(int device) { DYNO_KEEP(context, Context::open(library_, device)); }
Result<Handle> Runtime::createStream(Handle contextHandle) {
  DYNO_GET(owner, Context, contextHandle, context);
  DYNO_KEEP(stream, Stream::create(owner));
}
Result<Handle> Runtime::createEvent(Handle contextHandle, bool timing) {
  DYNO_GET(owner, Context, contextHandle, context);
  DYNO_KEEP(event, Event::create(owner, timing));
}
Result<Handle> Runtime::allocate(Handle contextHandle, std::size_t bytes) {
  DYNO_GET(owner, Context, contextHandle, context);
  DYNO_KEEP(buffer, DeviceMemory::allocate(owner, bytes));
}
Result<Handle> Runtime::allocatePinned(Handle contextHandle, std::size_t bytes) {
  DYNO_GET(owner, Context, contextHandle, context);
  DYNO_KEEP(pinned, PinnedMemory::allocate(owner, bytes));
}
Result<Handle> Runtime::loadModule(Handle contextHandle, const std::string& path) {
  DYNO_GET(owner, Context, contextHandle, context);
  DYNO_KEEP(module, Module::loadFile(owner, path));
}
Result<Handle> Runtime::findKernel(Handle moduleHandle, const std::string& name) {
  DYNO_GET(module, Module, moduleHandle, module);
  DYNO_KEEP(kernel, Kernel::find(module, name));
}
Result<Handle> Runtime::endCapture(Handle streamHandle) {
  DYNO_GET(stream, Stream, streamHandle, stream);
  DYNO_KEEP(graph, Graph::fromCapture(*stream));
}

Status Runtime::release(Handle handle) {
  auto found = slot(handle);
  if (!found.ok()) return found.error();
  if (found.value()->kind == Kind::stream || found.value()->kind == Kind::event) {
    // A waiter on another thread holds a second reference; two are ours here (the slot) at rest.
    if (found.value()->resource.use_count() > 1)
      return misuse("HANDLE_BUSY", std::string("This ") + kindName(found.value()->kind) + " is being waited on.");
  }
  const auto index = static_cast<std::uint32_t>(found.value() - slots_.data());
  slots_[index].kind = Kind::none;
  slots_[index].resource.reset();
  free_.push_back(index);
  return Nothing{};
}

Result<Runtime::Region> Runtime::region(Handle handle, std::size_t offset, std::size_t bytes) const {
  auto found = slot(handle);
  if (!found.ok()) return found.error();
  const auto inside = [&](std::size_t size) { return offset <= size && bytes <= size - offset; };
  const auto outside = [&](std::size_t size) {
    return misuse("OUT_OF_RANGE", "Bytes " + std::to_string(offset) + " to " + std::to_string(offset + bytes) +
                                      " are outside a buffer of " + std::to_string(size) + " bytes.");
  };
  if (found.value()->kind == Kind::buffer) {
    const auto memory = std::static_pointer_cast<DeviceMemory>(found.value()->resource);
    if (!inside(memory->bytes())) return outside(memory->bytes());
    return Region{memory->context(), memory->pointer() + offset, nullptr};
  }
  if (found.value()->kind == Kind::pinned) {
    const auto memory = std::static_pointer_cast<PinnedMemory>(found.value()->resource);
    if (!inside(memory->bytes())) return outside(memory->bytes());
    return Region{memory->context(), 0, memory->pointer() + offset};
  }
  return misuse("HANDLE_KIND", std::string("Expected a buffer, got a ") + kindName(found.value()->kind) + ".");
}

Result<DevicePointer> Runtime::deviceAddress(Handle buffer, std::size_t offset, std::size_t bytes) const {
  auto found = region(buffer, offset, bytes);
  if (!found.ok()) return found.error();
  if (found.value().host != nullptr) return misuse("HANDLE_KIND", "Expected a device buffer, got a pinned buffer.");
  return found.value().device;
}

Result<std::shared_ptr<Stream>> Runtime::stream(Handle handle) const { return get<Stream>(handle, Kind::stream); }

Status Runtime::writeBytes(Handle to, std::size_t offset, const void* from, std::size_t bytes) {
  auto target = region(to, offset, bytes);
  if (!target.ok()) return target.error();
  if (target.value().host != nullptr) {
    std::memcpy(target.value().host, from, bytes);
    return Nothing{};
  }
  DYNO_TRY(target.value().context->makeCurrent());
  DYNO_CUDA_TRY(*library_, copyToDevice, target.value().device, from, bytes);
  // The call may return once the bytes are staged, before they arrive; our streams do not wait for the default stream.
  // So wait here.
  DYNO_CUDA_TRY(*library_, streamSynchronize, nullptr);
  return Nothing{};
}

Status Runtime::readBytes(Handle from, std::size_t offset, void* to, std::size_t bytes) {
  auto source = region(from, offset, bytes);
  if (!source.ok()) return source.error();
  if (source.value().host != nullptr) {
    std::memcpy(to, source.value().host, bytes);
    return Nothing{};
  }
  DYNO_TRY(source.value().context->makeCurrent());
  DYNO_CUDA_TRY(*library_, copyToHost, to, source.value().device, bytes);
  return Nothing{};
}

Status Runtime::copy(Handle streamHandle, Handle to, std::size_t toOffset, Handle from, std::size_t fromOffset,
                     std::size_t bytes) {
  DYNO_GET(stream, Stream, streamHandle, stream);
  auto targetFound = region(to, toOffset, bytes);
  if (!targetFound.ok()) return targetFound.error();
  auto sourceFound = region(from, fromOffset, bytes);
  if (!sourceFound.ok()) return sourceFound.error();
  const Region& target = targetFound.value();
  const Region& source = sourceFound.value();
  DYNO_TRY(stream->context()->makeCurrent());
  if (target.host != nullptr && source.host != nullptr)
    return misuse("COPY_HOST", "A copy between two pinned buffers needs no stream: read and write them.");
  if (source.host != nullptr) {
    DYNO_CUDA_TRY(*library_, copyToDeviceAsync, target.device, source.host, bytes, stream->handle());
  } else if (target.host != nullptr) {
    DYNO_CUDA_TRY(*library_, copyToHostAsync, target.host, source.device, bytes, stream->handle());
  } else if (target.context->id() != source.context->id()) {
    DYNO_CUDA_TRY(*library_, copyPeerAsync, target.device, target.context->handle(), source.device,
                  source.context->handle(), bytes, stream->handle());
  } else {
    DYNO_CUDA_TRY(*library_, copyOnDeviceAsync, target.device, source.device, bytes, stream->handle());
  }
  return Nothing{};
}

Status Runtime::fill(Handle streamHandle, Handle to, std::size_t offset, std::uint8_t byte, std::size_t bytes) {
  DYNO_GET(stream, Stream, streamHandle, stream);
  auto target = region(to, offset, bytes);
  if (!target.ok()) return target.error();
  if (target.value().host != nullptr) return misuse("HANDLE_KIND", "Fill works on device buffers.");
  DYNO_TRY(stream->context()->makeCurrent());
  DYNO_CUDA_TRY(*library_, fillAsync, target.value().device, byte, bytes, stream->handle());
  return Nothing{};
}

Status Runtime::launch(Handle streamHandle, Handle kernelHandle, const std::array<unsigned, 6>& shape,
                       unsigned sharedBytes, std::string_view types, const double* values, std::size_t valueCount) {
  DYNO_GET(stream, Stream, streamHandle, stream);
  DYNO_GET(kernel, Kernel, kernelHandle, kernel);
  constexpr std::size_t maxArguments = 32;
  if (types.size() > maxArguments) return misuse("TOO_MANY_ARGUMENTS", "A kernel takes at most 32 arguments here.");
  union Argument {
    DevicePointer pointer;
    std::int32_t i;
    std::uint32_t u;
    std::int64_t l;
    float f;
    double d;
  };
  std::array<Argument, maxArguments> arguments{};
  std::array<void*, maxArguments> pointers{};
  std::size_t next = 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::size_t takes = types[i] == 'p' ? 2 : 1;
    if (next + takes > valueCount) return misuse("ARGUMENTS", "Fewer argument values than argument types.");
    Argument& argument = arguments[i];
    pointers[i] = &argument;
    switch (types[i]) {
      case 'p': {
        auto memory = region(values[next], static_cast<std::size_t>(values[next + 1]), 0);
        if (!memory.ok()) return memory.error();
        // Pinned memory is addressable from the device by its host address (unified addressing).
        argument.pointer = memory.value().host != nullptr ? reinterpret_cast<DevicePointer>(memory.value().host)
                                                          : memory.value().device;
        break;
      }
      case 'n': argument.pointer = 0; break;
      case 'i': argument.i = static_cast<std::int32_t>(values[next]); break;
      case 'u': argument.u = static_cast<std::uint32_t>(values[next]); break;
      case 'l': argument.l = static_cast<std::int64_t>(values[next]); break;
      case 'f': argument.f = static_cast<float>(values[next]); break;
      case 'd': argument.d = values[next]; break;
      default: return misuse("ARGUMENTS", std::string("Unknown argument type '") + types[i] + "'.");
    }
    next += takes;
  }
  DYNO_TRY(stream->context()->makeCurrent());
  constexpr unsigned withoutOptIn = 48 * 1024;
  if (sharedBytes > withoutOptIn)
    DYNO_CUDA_TRY(*library_, functionSetAttribute, kernel->handle(), functionMaxDynamicShared,
                  static_cast<int>(sharedBytes));
  DYNO_CUDA_TRY(*library_, launch, kernel->handle(), shape[0], shape[1], shape[2], shape[3], shape[4], shape[5],
                sharedBytes, stream->handle(), pointers.data(), nullptr);
  return Nothing{};
}

Status Runtime::record(Handle eventHandle, Handle streamHandle) {
  DYNO_GET(event, Event, eventHandle, event);
  DYNO_GET(stream, Stream, streamHandle, stream);
  DYNO_TRY(stream->context()->makeCurrent());
  DYNO_CUDA_TRY(*library_, eventRecord, event->handle(), stream->handle());
  return Nothing{};
}

Status Runtime::wait(Handle streamHandle, Handle eventHandle) {
  DYNO_GET(stream, Stream, streamHandle, stream);
  DYNO_GET(event, Event, eventHandle, event);
  DYNO_TRY(stream->context()->makeCurrent());
  DYNO_CUDA_TRY(*library_, streamWaitEvent, stream->handle(), event->handle(), 0u);
  return Nothing{};
}

Result<float> Runtime::elapsedMs(Handle startHandle, Handle endHandle) {
  DYNO_GET(start, Event, startHandle, event);
  DYNO_GET(end, Event, endHandle, event);
  return end->since(*start);
}

Result<bool> Runtime::ready(Handle handle) {
  auto found = slot(handle);
  if (!found.ok()) return found.error();
  Code code = success;
  const char* call = "cuStreamQuery";
  if (found.value()->kind == Kind::stream) {
    code = library_->api().streamQuery(std::static_pointer_cast<Stream>(found.value()->resource)->handle());
  } else if (found.value()->kind == Kind::event) {
    call = "cuEventQuery";
    code = library_->api().eventQuery(std::static_pointer_cast<Event>(found.value()->resource)->handle());
  } else {
    return misuse("HANDLE_KIND",
                  std::string("Expected a stream or an event, got a ") + kindName(found.value()->kind) + ".");
  }
  if (code == errorNotReady) return false;
  if (code != success) return library_->error(call, code);
  return true;
}

Status Runtime::beginCapture(Handle streamHandle) {
  DYNO_GET(stream, Stream, streamHandle, stream);
  DYNO_TRY(stream->context()->makeCurrent());
  DYNO_CUDA_TRY(*library_, beginCapture, stream->handle(), captureThreadLocal);
  return Nothing{};
}

Status Runtime::launchGraph(Handle graphHandle, Handle streamHandle) {
  DYNO_GET(graph, Graph, graphHandle, graph);
  DYNO_GET(stream, Stream, streamHandle, stream);
  DYNO_TRY(stream->context()->makeCurrent());
  DYNO_CUDA_TRY(*library_, graphLaunch, graph->handle(), stream->handle());
  return Nothing{};
}

Status Runtime::enablePeer(Handle fromHandle, Handle toHandle) {
  DYNO_GET(from, Context, fromHandle, context);
  DYNO_GET(to, Context, toHandle, context);
  DYNO_TRY(from->makeCurrent());
  const Code code = library_->api().enablePeer(to->handle(), 0);
  return code == errorPeerAlreadyEnabled ? Status(Nothing{}) : library_->check("cuCtxEnablePeerAccess", code);
}

Result<std::pair<std::size_t, std::size_t>> Runtime::memoryInfo(Handle contextHandle) {
  DYNO_GET(owner, Context, contextHandle, context);
  DYNO_TRY(owner->makeCurrent());
  std::size_t available = 0, total = 0;
  DYNO_CUDA_TRY(*library_, memoryInfo, &available, &total);
  return std::pair(available, total);
}

Result<std::function<Status()>> Runtime::waiter(Handle handle) {
  auto found = slot(handle);
  if (!found.ok()) return found.error();
  if (found.value()->kind == Kind::stream) {
    return std::function<Status()>(
        [stream = std::static_pointer_cast<Stream>(found.value()->resource)] { return stream->synchronize(); });
  }
  if (found.value()->kind == Kind::event) {
    return std::function<Status()>([event = std::static_pointer_cast<Event>(found.value()->resource)]() -> Status {
      DYNO_TRY(event->context()->makeCurrent());
      DYNO_CUDA_TRY(event->context()->library(), eventSynchronize, event->handle());
      return Nothing{};
    });
  }
  return misuse("HANDLE_KIND",
                std::string("Expected a stream or an event, got a ") + kindName(found.value()->kind) + ".");
}

std::size_t Runtime::alive() const {
  std::size_t count = 0;
  for (const Slot& each : slots_) count += each.kind == Kind::none ? 0 : 1;
  return count;
}

std::string Runtime::describeAlive() const {
  std::map<Kind, unsigned> counts;
  std::uint64_t bytes = 0;
  for (const Slot& each : slots_) {
    if (each.kind == Kind::none) continue;
    ++counts[each.kind];
    if (each.kind == Kind::buffer) bytes += std::static_pointer_cast<DeviceMemory>(each.resource)->bytes();
    if (each.kind == Kind::pinned) bytes += std::static_pointer_cast<PinnedMemory>(each.resource)->bytes();
  }
  Json json;
  json.beginObject()
      .field("handles", static_cast<std::uint64_t>(alive()))
      .field("bytes", bytes)
      .key("byKind")
      .beginObject();
  for (const auto& [kind, count] : counts) json.field(kindName(kind), count);
  json.endObject().field("failedReleases", library_->failedReleases()).endObject();
  return json.text();
}

}  // namespace dyno::cuda
