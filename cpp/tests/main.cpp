// A single program without dependencies, so that it also runs on other machines and emulators.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <string_view>

#include "vectors.hpp"

int main(int argc, char** argv) {
  constexpr std::string_view kOption = "--vectors=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(kOption)) {
      torchac::test::vectors_path = argument.substr(kOption.size());
    }
  }
  return doctest::Context(argc, argv).run();
}
