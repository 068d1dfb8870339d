// Runs a driver call that may never return (a hung GPU blocks inside the kernel driver) and gives up on it after a
// while. The call goes on in its own thread, which owns everything it touches: keep captures by value or shared_ptr.
#pragma once
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace dyno {

template <typename Function>
auto withDeadline(std::chrono::milliseconds deadline, Function function) -> std::optional<decltype(function())> {
  using Answer = decltype(function());
  struct Shared {
    std::mutex mutex;
    std::condition_variable answered;
    std::optional<Answer> answer;
  };
  auto shared = std::make_shared<Shared>();
  std::thread([shared, function = std::move(function)]() mutable {
    Answer answer = function();
    const std::lock_guard<std::mutex> lock(shared->mutex);
    shared->answer = std::move(answer);
    shared->answered.notify_one();
  }).detach();
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->answered.wait_for(lock, deadline, [&] { return shared->answer.has_value(); });
  return std::move(shared->answer);
}

}  // namespace dyno
