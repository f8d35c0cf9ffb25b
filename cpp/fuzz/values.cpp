// Any values, encoded with any parameters, rows or categories, decode to themselves; any bytes are
// decoded to values within the bounds, or refused; and the rows of a model code the same streams.
// In lockstep, with marks and in pieces, everything follows the definition.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "coding.hpp"
#include "expected.hpp"
#include "harness.hpp"
#include "input.hpp"
#include "lockstep.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::fuzz {
namespace {

Numbers doubles(const std::vector<double>& from) {
  const auto count = static_cast<std::int64_t>(from.size());
  return {DType::kFloat64,
          StridedWalk(std::as_bytes(std::span(from)).data(), {{count, sizeof(double)}})};
}

Numbers integers(std::span<const std::int32_t> from) {
  const auto count = static_cast<std::int64_t>(from.size());
  return {DType::kInt32, StridedWalk(std::as_bytes(from).data(), {{count, sizeof(std::int32_t)}})};
}

Numbers numbers_of(const std::vector<std::uint8_t>& index) {
  const auto size = static_cast<std::int64_t>(index.size());
  return {DType::kUint8, StridedWalk(std::as_bytes(std::span(index)).data(), {{size, 1}})};
}

// Parameters: usual ones, and arbitrary bits.
double any_number(Input& input, double scale) {
  if (input.one_in(16)) return std::bit_cast<double>(input.bits());
  return scale * static_cast<double>(input.between(-1000, 1000)) / 1000;
}

Bounds any_bounds(Input& input) {
  if (!input.one_in(4)) return {};
  const auto low = static_cast<std::int32_t>(input.between(-300, 300));
  return {low, low + static_cast<std::int32_t>(input.below(300))};
}

std::int32_t any_value(Input& input, const Bounds& bounds) {
  const std::int64_t value =
      input.one_in(8) ? static_cast<std::int32_t>(input.bits()) : input.between(-50, 50);
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, bounds.low, bounds.high));
}

// Parameters, and the numbers that they are read from.
struct Case {
  explicit Case(Input& input)
      : count(1 + input.below(input.is_large() ? 2000 : 20)), bounds(any_bounds(input)) {
    const std::size_t components = 1 + (input.one_in(2) ? input.below(9) : 0);
    const bool mixture = components > 1 || input.one_in(2);
    const double spread = std::ldexp(1, static_cast<int>(input.below(22)));
    numbers.reserve(3 * components);
    for (std::size_t k = 0; k < components; ++k) {
      Component component{&families()[input.below(families().size())],
                          {column(input, 40), column(input, spread, true), std::nullopt}};
      if (mixture) component[Parameter::kWeight] = column(input, 1, true);
      parameters.components.push_back(std::move(component));
    }
    parameters.bounds = bounds;
    for (std::size_t i = 0; i < count; ++i) values.push_back(any_value(input, bounds));
  }

  Numbers column(Input& input, double scale, bool positive = false) {
    std::vector<double> column;
    for (std::size_t i = 0; i < count; ++i) {
      const double number = any_number(input, scale);
      column.push_back(positive && number < 0 ? -number : number);
    }
    numbers.push_back(std::move(column));
    return doubles(numbers.back());
  }

  std::size_t count;
  Bounds bounds;
  std::vector<std::vector<double>> numbers;
  Parameters parameters;
  std::vector<std::int32_t> values;
};

Report encode(const AnyModel& model, std::span<const std::int32_t> values, EncodedStream& stream,
              const std::optional<SharedElements>& shared = std::nullopt) {
  const auto count = static_cast<std::int64_t>(values.size());
  const EncodeJob job{{model, count, shared}, integers(values), &stream};
  ThreadTeam alone(1);
  return torchac::encode({&job, 1}, alone);
}

// The values, unless the stream is refused.
std::optional<std::vector<std::int32_t>> decode(
    const AnyModel& model, std::size_t count, const Bytes& bytes, const Bounds& bounds,
    const std::optional<SharedElements>& shared = std::nullopt) {
  std::vector<std::int32_t> values(count);
  Decoder decoder(bytes);
  const DecodeJob job{{model, static_cast<std::int64_t>(count), shared}, values.data(), &decoder};
  ThreadTeam alone(1);
  if (!torchac::decode({&job, 1}, alone).ok()) return std::nullopt;
  for (const std::int32_t value : values)
    expect(bounds.low <= value && value <= bounds.high, "values are within the bounds");
  return values;
}

Report measure(const AnyModel& model, std::span<const std::int32_t> values) {
  std::vector<double> bits(values.size());
  const MeasureJob job{
      {model, static_cast<std::int64_t>(values.size())}, integers(values), bits.data()};
  Poll poll;
  return torchac::measure(job, poll);
}

// Stored rows with arbitrary windows.
struct StoredRows {
  explicit StoredRows(Input& input)
      : count(1 + input.below(5)), columns(1 + input.below(9)), bounds(any_bounds(input)) {
    for (std::size_t k = 0; k < count; ++k) {
      const bool good = !input.one_in(8);
      const auto most = static_cast<std::int64_t>(columns);
      const auto any = static_cast<std::int32_t>(input.bits());
      first.push_back(good ? static_cast<std::int32_t>(input.between(-9, 9)) : any);
      symbols.push_back(good ? static_cast<std::int32_t>(input.between(1, most)) : any);
      shifts.push_back(static_cast<std::uint8_t>(good ? input.below(4) : input.bits()));
      for (std::size_t j = 0; j <= columns; ++j)
        rows.push_back(static_cast<std::uint16_t>(good ? j * 5000 : input.bits()));
    }
    for (std::size_t i = input.below(200); i > 0; --i)
      index.push_back(static_cast<std::uint8_t>(input.below(count + (input.one_in(50) ? 1 : 0))));
  }

  [[nodiscard]] TableRows model() const {
    return {{std::as_bytes(std::span(rows)).data(),
             static_cast<std::int64_t>((columns + 1) * sizeof(std::uint16_t)),
             static_cast<std::int64_t>(count), static_cast<std::int64_t>(columns), first.data(),
             symbols.data(), shifts.data(), bounds},
            numbers_of(index)};
  }

  std::size_t count;
  std::size_t columns;
  Bounds bounds;
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> symbols;
  std::vector<std::uint8_t> shifts;
  std::vector<std::uint16_t> rows;
  std::vector<std::uint8_t> index;
};

// The rows of a model, stored, unless mixtures are coded by zones.
struct Tabulated {
  Tabulated(const AnyModel& model, std::size_t rows) : first(rows), symbols(rows), shifts(rows) {
    TabulateJob job{model,
                    static_cast<std::int64_t>(rows),
                    first.data(),
                    symbols.data(),
                    shifts.data(),
                    nullptr,
                    0};
    Poll poll;
    const Report report = torchac::tabulate(job, poll);
    has_zones = report.problem == Problem::kZones;
    if (has_zones) return;
    expect(report.ok(), "models that code have rows");
    columns = static_cast<std::size_t>(*std::ranges::max_element(symbols));
    values.resize(rows * (columns + 1));
    job.rows = values.data();
    job.stride = static_cast<std::int64_t>(columns + 1);
    expect(torchac::tabulate(job, poll).ok(), "and again");
  }

  [[nodiscard]] TableRows model(const Bounds& bounds) const {
    return {{std::as_bytes(std::span(values)).data(),
             static_cast<std::int64_t>((columns + 1) * sizeof(std::uint16_t)),
             static_cast<std::int64_t>(first.size()), static_cast<std::int64_t>(columns),
             first.data(), symbols.data(), shifts.data(), bounds},
            std::nullopt};
  }

  bool has_zones = false;
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> symbols;
  std::vector<std::uint8_t> shifts;
  std::size_t columns = 0;
  std::vector<std::uint16_t> values;
};

template <class T>
void store(std::byte* to, T number) {
  std::memcpy(to, &number, sizeof(T));
}

// Numbers of categories, in any layout, and values.
struct CategoryCase {
  explicit CategoryCase(Input& input) : layout(any_layout(input)) {
    const auto size = static_cast<std::int64_t>(size_of(layout.type));
    const auto rows =
        static_cast<std::int64_t>(1 + input.below(layout.count > kMaxRowCategories ? 3 : 40));
    const std::int64_t step = input.one_in(8) ? 0 : size + input.between(0, 3);
    const bool transposed = input.one_in(4);
    row = {rows, transposed ? size : step * (layout.count - 1) + size};
    layout.stride = transposed ? size * rows : step;
    const std::int64_t last = row.stride * (rows - 1) + layout.stride * (layout.count - 1);
    memory.resize(static_cast<std::size_t>(last + size));
    fill(input);
    first = memory.data();
    if (input.one_in(4)) {
      first += layout.stride * (layout.count - 1);
      layout.stride = -layout.stride;
    }

    shared = input.one_in(2);
    const std::size_t count = shared ? input.below(200) : static_cast<std::size_t>(rows);
    const auto end = static_cast<std::uint64_t>(rows) + (input.one_in(50) ? 1 : 0);
    for (std::size_t i = 0; i < count; ++i) {
      if (shared) index.push_back(static_cast<std::uint8_t>(input.below(end)));
      values.push_back(static_cast<std::int32_t>(input.below(layout.categories())));
    }
    if (count > 0 && input.one_in(16))
      values[input.below(count)] = static_cast<std::int32_t>(input.bits());
  }

  static CategoryLayout any_layout(Input& input) {
    CategoryLayout layout{
        input.one_of({CategoryNumbers::kProbabilities, CategoryNumbers::kLogits,
                      CategoryNumbers::kBernoulliProbabilities, CategoryNumbers::kBernoulliLogits}),
        input.one_of({DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16}), 1, 0};
    const auto most = input.one_of<std::uint64_t>({6, 40, 300, 600});
    if (!layout.bernoulli())
      layout.count = static_cast<std::uint32_t>(1 + input.below(input.is_large() ? 9000 : most));
    return layout;
  }

  static std::size_t size_of(DType type) {
    if (type == DType::kFloat64) return sizeof(double);
    return type == DType::kFloat32 ? sizeof(float) : sizeof(std::uint16_t);
  }

  // Usual numbers, some of them without probability, and in one case of four arbitrary bits.
  void fill(Input& input) {
    const bool any = input.one_in(4);
    const double scale =
        layout.bernoulli() ? 1 : std::ldexp(1, static_cast<int>(input.between(-20, 10)));
    for (std::int64_t i = 0; i < row.size; ++i) {
      for (std::int64_t j = 0; std::cmp_less(j, layout.count); ++j) {
        std::byte* to = &memory[static_cast<std::size_t>(i * row.stride + j * layout.stride)];
        double number = scale * static_cast<double>(input.between(-1000, 1000)) / 1000;
        if (input.one_in(16))
          number = layout.logits() ? -std::numeric_limits<double>::infinity() : 0;
        if (!layout.logits()) number = std::fabs(number);
        put(to, number);
        if (any && input.one_in(32)) put_bits(to, input.bits());
      }
    }
  }

  void put(std::byte* to, double number) const {
    if (layout.type == DType::kFloat64) return store(to, number);
    const auto narrow = static_cast<float>(number);
    if (layout.type == DType::kFloat32) return store(to, narrow);
    const auto bits = std::bit_cast<std::uint32_t>(narrow);
    if (layout.type == DType::kBFloat16) return store(to, static_cast<std::uint16_t>(bits >> 16));
    // A normal float16, or 0 or an infinity beyond these.
    constexpr std::uint32_t kRebias = (127 - 15) << 10;
    const std::uint32_t magnitude = std::max((bits & INT32_MAX) >> 13, kRebias) - kRebias;
    const std::uint32_t sign = bits >> 16 & 0x8000;
    store(to, static_cast<std::uint16_t>(sign | std::min<std::uint32_t>(magnitude, 0x7C00)));
  }

  void put_bits(std::byte* to, std::uint64_t bits) const {
    if (layout.type == DType::kFloat64) return store(to, bits);
    if (layout.type == DType::kFloat32) return store(to, static_cast<std::uint32_t>(bits));
    store(to, static_cast<std::uint16_t>(bits));
  }

  [[nodiscard]] Categories model() const {
    if (!shared) return {layout, Rows(StridedWalk(first, {row}))};
    return {layout, Rows({first, row.stride, row.size}, numbers_of(index))};
  }

  [[nodiscard]] Bounds bounds() const {
    return {0, static_cast<std::int32_t>(layout.categories() - 1)};
  }

  CategoryLayout layout;
  Dimension row{};  // from each row to the next
  std::vector<std::byte> memory;
  const std::byte* first = nullptr;
  bool shared = false;
  std::vector<std::uint8_t> index;
  std::vector<std::int32_t> values;
};

Bytes any_bytes(Input& input, Bytes stream) {
  if (input.one_in(2) || stream.empty()) return input.bytes(input.below(60));
  stream[input.below(stream.size())] ^= static_cast<std::uint8_t>(input.bits());
  if (input.one_in(2)) stream.resize(input.below(stream.size() + 1));
  return stream;
}

void check_parameters(Input& input) {
  const Case coded(input);
  EncodedStream stream;
  const Report report = encode(coded.parameters, coded.values, stream);
  const Bytes bytes = finished(stream);
  if (report.ok()) {
    expect(decode(coded.parameters, coded.count, bytes, coded.bounds) == coded.values,
           "values come back as they were");
    expect(measure(coded.parameters, coded.values).ok(), "what can be coded has a cost");
    const Tabulated tabulated(coded.parameters, coded.count);
    if (!tabulated.has_zones) {
      const TableRows rows = tabulated.model(coded.bounds);
      EncodedStream same;
      expect(encode(rows, coded.values, same).ok() && finished(same) == bytes,
             "rows code the same stream");
      expect(decode(rows, coded.count, bytes, coded.bounds) == coded.values, "and decode it");
    }
  }
  (void)decode(coded.parameters, coded.count, any_bytes(input, bytes), coded.bounds);
}

void check_rows(Input& input) {
  const StoredRows rows(input);
  std::vector<std::int32_t> values;
  for (std::size_t i = 0; i < rows.index.size(); ++i)
    values.push_back(any_value(input, rows.bounds));
  EncodedStream stream;
  (void)encode(rows.model(), values, stream);
  const Bytes bytes = finished(stream);
  (void)decode(rows.model(), values.size(), bytes, rows.bounds);
  (void)decode(rows.model(), values.size(), any_bytes(input, bytes), rows.bounds);
}

void check_categories(Input& input) {
  const CategoryCase coded(input);
  const Categories model = coded.model();
  const std::size_t count = coded.values.size();
  EncodedStream stream;
  const Report report = encode(model, coded.values, stream);
  const Bytes bytes = finished(stream);
  const Report measured = measure(model, coded.values);
  expect(measured.problem == report.problem && measured.position == report.position &&
             measured.column == report.column,
         "what can be coded has a cost, and nothing else has");
  if (report.ok()) {
    expect(decode(model, count, bytes, coded.bounds()) == coded.values,
           "values come back as they were");
    if (count > 0 && coded.layout.count <= kMaxRowCategories) {
      const Tabulated tabulated(model, count);
      EncodedStream same;
      expect(encode(tabulated.model(coded.bounds()), coded.values, same).ok() &&
                 finished(same) == bytes,
             "rows code the same stream");
    }
  }
  (void)decode(model, count, any_bytes(input, bytes), coded.bounds());
}

// Values that choose elements by an index are coded alike whether the core knows the elements, and
// may store rows and lookup tables of them, or not.
void check_shared(Input& input) {
  const Case elements(input);
  const std::size_t end = std::min<std::size_t>(elements.count, 256);
  std::vector<std::uint8_t> index;
  std::vector<std::int32_t> values;
  for (std::size_t i = input.below(input.is_large() ? 3000 : 200); i > 0; --i) {
    index.push_back(static_cast<std::uint8_t>(input.below(end + (input.one_in(400) ? 1 : 0))));
    values.push_back(any_value(input, elements.bounds));
  }
  Parameters model = elements.parameters;
  model.index = numbers_of(index);
  const SharedElements shared{std::make_shared<const Elements>(elements.parameters),
                              static_cast<std::int64_t>(elements.count), numbers_of(index)};
  EncodedStream stream;
  EncodedStream same;
  const Report report = encode(model, values, stream);
  const Report again = encode(model, values, same, shared);
  expect(report.problem == again.problem && report.position == again.position &&
             report.column == again.column,
         "shared elements give the same report");
  const Bytes bytes = finished(stream);
  if (report.ok()) expect(finished(same) == bytes, "and the same stream");
  for (const Bytes& read : {bytes, any_bytes(input, bytes)}) {
    expect(decode(model, values.size(), read, elements.bounds) ==
               decode(model, values.size(), read, elements.bounds, shared),
           "and decode the same values");
  }
}

}  // namespace

void run(Input input) {
  switch (input.below(6)) {
    case 5:
    case 4:
      return check_lockstep(input);
    case 3:
      return check_rows(input);
    case 2:
      return check_categories(input);
    case 1:
      return check_shared(input);
    default:
      return check_parameters(input);
  }
}

}  // namespace torchac::fuzz
