// The types of the numbers in arrays.
#pragma once

#include <cstdint>
#include <type_traits>

#include "torchac/support/narrow_floats.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// NumberTypes lists the C++ types in the same order.
enum class DType : std::uint8_t {
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64
};

[[nodiscard]] constexpr bool is_narrow_float(DType type) {
  return type >= DType::kFloat16 && type <= DType::kFloat32;
}
[[nodiscard]] constexpr bool is_float(DType type) { return type >= DType::kFloat16; }

template <class... Types>
struct TypeList {};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// The narrow floats, as they are stored.
struct StoredFloat16 {
  std::uint16_t bits;
  explicit operator float() const { return widen_float16(bits); }
  explicit operator double() const { return widen_float16(bits); }
};
struct StoredBFloat16 {
  std::uint16_t bits;
  explicit operator float() const { return widen_bfloat16(bits); }
  explicit operator double() const { return widen_bfloat16(bits); }
};

using IntegerTypes = TypeList<std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                              std::uint16_t, std::uint32_t, std::uint64_t>;
using NarrowFloatTypes = TypeList<StoredFloat16, StoredBFloat16, float>;
using FloatTypes = TypeList<StoredFloat16, StoredBFloat16, float, double>;
using NumberTypes =
    TypeList<std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t,
             std::uint32_t, std::uint64_t, StoredFloat16, StoredBFloat16, float, double>;

// The DType of a type of number, or of a type that has a member kDType.
template <class T>
inline constexpr DType kDType = []<class... Types>(TypeList<Types...>) {
  if constexpr (requires { T::kDType; }) {
    return T::kDType;
  } else {
    std::uint8_t place = 0;
    (void)((std::is_same_v<T, Types> || (++place, false)) || ...);
    return static_cast<DType>(place);
  }
}(NumberTypes());

// Calls `use` with a null pointer to the type in a list that has a DType. If the list does not have
// it, uses the first type, which is as narrow as any in it, so nothing is read beyond an array.
template <class First, class Use>
auto with_dtype(TypeList<First>, DType, const Use& use) {
  return use(static_cast<const First*>(nullptr));
}
template <class First, class Second, class... Rest, class Use>
auto with_dtype(TypeList<First, Second, Rest...>, DType type, const Use& use) {
  return type == kDType<Second> ? use(static_cast<const Second*>(nullptr))
                                : with_dtype(TypeList<First, Rest...>(), type, use);
}

TORCHAC_END_TARGET
