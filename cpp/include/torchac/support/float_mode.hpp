// The floating-point mode of a thread.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace torchac {

// While this lives, the thread rounds to nearest and keeps subnormal numbers, as the format says,
// whatever the caller's mode is.
class StandardFloats {
 public:
  StandardFloats(const StandardFloats&) = delete;
  StandardFloats& operator=(const StandardFloats&) = delete;
#if defined(__x86_64__) || defined(_M_X64)  // fesetenv takes long there, for the x87's sake
  StandardFloats() : before_(_mm_getcsr()) { _mm_setcsr(kStandard); }
  ~StandardFloats() { _mm_setcsr(before_); }

 private:
  static constexpr unsigned int kStandard = 0x1F80;  // exceptions do not trap
  unsigned int before_;
#else
  StandardFloats() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~StandardFloats() { std::fesetenv(&before_); }

 private:
  std::fenv_t before_{};
#endif
};

}  // namespace torchac
