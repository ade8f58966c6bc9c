// Runs the tests named on the command line, or all but the planted faults. `--list` and `--planted` print names.
#include "testing.h"

#include <stdio.h>
#include <string.h>

using testing::Test;

static bool run(const Test& test) {
  try {
    test.run();
    printf("passed  %s\n", test.name);
    return true;
  } catch (const std::exception& failure) {
    printf("FAILED  %s\n        %s\n", test.name, failure.what());
    return false;
  }
}

int main(int count, char** words) {
  if (count == 2 && (strcmp(words[1], "--list") == 0 || strcmp(words[1], "--planted") == 0)) {
    for (const Test& test : testing::tests()) {
      if (test.planted == (strcmp(words[1], "--planted") == 0)) puts(test.name);
    }
    return 0;
  }
  int failures = 0, runs = 0;
  for (const Test& test : testing::tests()) {
    bool wanted = count == 1 && !test.planted;
    for (int i = 1; i < count; i++) wanted = wanted || strcmp(words[i], test.name) == 0;
    if (!wanted) continue;
    runs++;
    failures += !run(test);
  }
  printf("%d of %d tests failed\n", failures, runs);
  return failures == 0 && runs > 0 ? 0 : 1;
}
