#include "vectors.hpp"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <istream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace torchac::test {

std::string vectors_path;

namespace {

// Reads numbers byte by byte, least significant first, on any machine.
class Reader {
 public:
  explicit Reader(std::istream& file) : file_(file) {}

  template <class T = std::uint64_t>
  T number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << 8 * i;
    return static_cast<T>(value);
  }

  template <class T>
  std::vector<T> numbers(int bytes) {
    std::vector<T> result(number<std::size_t>(8));
    for (T& value : result) value = number<T>(bytes);
    return result;
  }

  // A CDF of one row for each of `count` symbols, or of one row for all.
  StoredCdf cdf(std::int64_t count) {
    const auto type = number<DType>(1);
    const bool normalize = number<bool>(1);
    const auto rows = number<std::int64_t>(8);
    const auto symbols = number<std::int64_t>(8) - 1;
    const int size = bit_fields(type).bytes();
    const Strides strides{rows == count ? size * (symbols + 1) : 0, size};
    StoredCdf result({type, normalize, symbols}, count, strides);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j <= symbols; ++j) result.set(i, j, number(size));
    }
    return result;
  }

  Vector vector() {
    const auto name = numbers<char>(1);
    const auto symbols = numbers<std::int16_t>(2);
    const auto stream = numbers<std::uint8_t>(1);
    const auto count = static_cast<std::int64_t>(symbols.size());
    StoredCdf stored = cdf(count);
    return {{name.begin(), name.end()}, std::move(stored), cdf(count), symbols, stream};
  }

 private:
  std::uint8_t byte() {
    const int value = file_.get();
    if (!file_) throw std::runtime_error(vectors_path + " ends too early");
    return static_cast<std::uint8_t>(value);
  }

  std::istream& file_;
};

}  // namespace

std::vector<Vector> read_vectors() {
  std::ifstream file(vectors_path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("no file of test vectors at '" + vectors_path + "'. Make it with\n" +
                             "  python cpp/tests/export_vectors.py vectors.bin\n" +
                             "and pass --vectors=vectors.bin");
  }
  Reader reader(file);
  std::vector<Vector> result;
  for (auto left = reader.number(8); left > 0; --left) result.push_back(reader.vector());
  return result;
}

}  // namespace torchac::test
