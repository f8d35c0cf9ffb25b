#include "torchac/engine/job.hpp"

#include <variant>

namespace torchac {

// With GCC 11's library, copying a std::variant destroys objects that it has not made yet if memory
// runs out; this does not.
AnyModel::AnyModel(const AnyModel& other)
    : variant(std::visit([](const auto& model) { return variant(model); },
                         static_cast<const variant&>(other))) {}
AnyModel::AnyModel(AnyModel&&) noexcept = default;
AnyModel& AnyModel::operator=(const AnyModel& other) { return *this = AnyModel(other); }
AnyModel& AnyModel::operator=(AnyModel&&) noexcept = default;
AnyModel::~AnyModel() = default;

}  // namespace torchac
