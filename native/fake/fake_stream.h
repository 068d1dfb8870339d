// A stream of the fake driver, which the fake cuBLASLt queues its products on too: work runs at once, or is kept for the graph
// that is being captured.
#pragma once
#include <functional>
#include <vector>

struct FakeStream {
  bool capturing = false;
  std::vector<std::function<void()>> captured;

  void queue(std::function<void()> work) {
    if (capturing)
      captured.push_back(std::move(work));
    else
      work();
  }
};
