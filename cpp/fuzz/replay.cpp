// Runs a harness on the files of a folder: inputs that a fuzzer found, for any compiler.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iostream>
#include <iterator>
#include <vector>

#include "harness.hpp"
#include "input.hpp"

namespace {

std::vector<std::uint8_t> contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: PROGRAM FOLDER\n";
    return 2;
  }
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    // If the program ends early, the last file named is the cause.
    std::cout << entry.path().filename().string() << '\n' << std::flush;
    const std::vector<std::uint8_t> bytes = contents(entry.path());
    torchac::fuzz::run(torchac::fuzz::Input(bytes));
    ++count;
  }
  std::cout << count << " inputs\n";
  return count > 0 ? 0 : 1;
}
