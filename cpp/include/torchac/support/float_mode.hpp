// The floating-point mode of a thread.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace torchac {

// Sets the thread to round to nearest and to keep subnormal numbers, as the format demands, and
// restores the caller's mode in the end.
class StandardFloats {
 public:
  StandardFloats(const StandardFloats&) = delete;
  StandardFloats& operator=(const StandardFloats&) = delete;
#if defined(__x86_64__) || defined(_M_X64)  // fesetenv is slow there, because of the x87
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
