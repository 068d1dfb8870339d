// A driver's refusal as a value: which call, which code, what it means, what to do. Nothing here throws.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace dyno {

struct DriverError {
  std::string call;     // the driver function, e.g. "cuMemAlloc_v2"; empty when no driver call was made
  int code = 0;         // the driver's own number
  std::string name;     // the driver's name of it, e.g. "CUDA_ERROR_OUT_OF_MEMORY"
  std::string message;  // one sentence
  std::string hint;     // what to do about it; may be empty
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}            // NOLINT: a value is a success
  Result(DriverError error) : state_(std::move(error)) {}  // NOLINT: an error is a failure
  bool ok() const { return std::holds_alternative<T>(state_); }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  const DriverError& error() const { return std::get<DriverError>(state_); }

 private:
  std::variant<T, DriverError> state_;
};

struct Nothing {};
using Status = Result<Nothing>;

}  // namespace dyno

// Returns the error of a Status or Result expression from the enclosing function.
#define DYNO_TRY(expression)                                                         \
  do {                                                                               \
    if (auto dynoStatus = (expression); !dynoStatus.ok()) return dynoStatus.error(); \
  } while (false)
