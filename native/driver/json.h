// Writes JSON text for the cold, nested answers (GPU lists, topology, errors): the typed side parses it once.
// A number that is not finite is left out by the callers: absent, never null.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "driver/driver_error.h"

namespace dyno {

class Json {
 public:
  Json& beginObject() { return open('{'); }
  Json& endObject() { return close('}'); }
  Json& beginArray() { return open('['); }
  Json& endArray() { return close(']'); }

  Json& key(std::string_view name) {
    comma();
    quote(name);
    text_ += ':';
    fresh_ = true;
    return *this;
  }
  Json& value(std::string_view text) {
    comma();
    quote(text);
    return *this;
  }
  Json& value(const char* text) { return value(std::string_view(text)); }
  Json& value(const std::string& text) { return value(std::string_view(text)); }
  Json& value(bool truth) { return raw(truth ? "true" : "false"); }
  Json& value(double number) {
    char digits[32];
    // 17 digits: the double comes back bit for bit. Integers up to 2^53 print as integers.
    std::snprintf(digits, sizeof digits,
                  std::fabs(number) < 9007199254740992.0 && number == std::floor(number) ? "%.0f" : "%.17g", number);
    return raw(digits);
  }
  Json& value(int number) { return value(static_cast<double>(number)); }
  Json& value(unsigned number) { return value(static_cast<double>(number)); }
  Json& value(std::int64_t number) { return value(static_cast<double>(number)); }
  Json& value(std::uint64_t number) { return value(static_cast<double>(number)); }

  template <typename T>
  Json& field(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  template <typename T>
  Json& field(std::string_view name, const std::optional<T>& v) {
    return v ? key(name).value(*v) : *this;
  }
  Json& error(const DriverError& e) {
    beginObject();
    if (!e.call.empty()) field("call", e.call);
    field("code", e.code).field("name", e.name).field("message", e.message).field("hint", e.hint);
    return endObject();
  }
  const std::string& text() const { return text_; }

 private:
  Json& open(char bracket) {
    comma();
    text_ += bracket;
    fresh_ = true;
    return *this;
  }
  Json& close(char bracket) {
    text_ += bracket;
    fresh_ = false;
    return *this;
  }
  Json& raw(std::string_view text) {
    comma();
    text_ += text;
    return *this;
  }
  void comma() {
    if (!fresh_) text_ += ',';
    fresh_ = false;
  }
  void quote(std::string_view text) {
    text_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
        text_ += escaped;
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }
  std::string text_;
  bool fresh_ = true;
};

// {"error":{...}}: the answer of a query that failed.
inline std::string errorAnswer(const DriverError& error) {
  Json json;
  json.beginObject().key("error").error(error).endObject();
  return json.text();
}

}  // namespace dyno
