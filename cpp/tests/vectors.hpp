// Streams of the old package, as export_vectors.py writes them.
#pragma once

#include <string>
#include <vector>

#include "stored_cdf.hpp"
#include "streams.hpp"

namespace torchac::test {

// The file, as given to this program.
extern std::string vectors_path;

struct Vector {
  std::string name;
  StoredCdf cdf;
  StoredCdf converted;  // the same rows as integers
  Symbols symbols;
  Bytes stream;
};

// Throws if the file cannot be read.
std::vector<Vector> read_vectors();

}  // namespace torchac::test
