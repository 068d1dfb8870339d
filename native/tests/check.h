// The smallest test runner that prints what was expected: TEST("name") { CHECK(a == b); }
#pragma once
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace dyno::test {

struct Case {
  const char* name;
  std::function<void()> body;
};
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
inline int failures = 0;
inline std::string folder;  // where the fake drivers lie
struct Register {
  Register(const char* name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};

}  // namespace dyno::test

#define DYNO_JOIN2(a, b) a##b
#define DYNO_JOIN(a, b) DYNO_JOIN2(a, b)
#define TEST(name)                                                                                    \
  static void DYNO_JOIN(body, __LINE__)();                                                            \
  static const dyno::test::Register DYNO_JOIN(registered, __LINE__)(name, DYNO_JOIN(body, __LINE__)); \
  static void DYNO_JOIN(body, __LINE__)()
#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      std::printf("    %s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      ++dyno::test::failures;                                                  \
    }                                                                          \
  } while (false)
