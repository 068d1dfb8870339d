// Runs every TEST of the logic tests: `logic-tests FOLDER_OF_THE_FAKE_DRIVERS`.
#include "tests/check.h"

int main(int count, char** arguments) {
  using namespace dyno::test;
  folder = count > 1 ? arguments[1] : ".";
  int failed = 0;
  for (const Case& each : cases()) {
    const int before = failures;
    each.body();
    if (failures > before) ++failed;
    std::printf("  %s %s\n", failures > before ? "FAILED" : "ok", each.name);
  }
  std::printf("logic-tests: %d passed, %d failed\n", static_cast<int>(cases().size()) - failed, failed);
  return failed == 0 ? 0 : 1;
}
