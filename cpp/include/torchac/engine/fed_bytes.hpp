// The bytes of a stream of which more may come, while those in front are no longer needed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace torchac {

// A copy shares the memory, and is fed by itself.
class FedBytes {
 public:
  // `owner` keeps `bytes`, which had `dropped` others in front of them.
  FedBytes(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner,
           std::uint64_t dropped = 0)
      : bytes_(bytes), owner_(std::move(owner)), dropped_(dropped) {}

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::uint64_t size() const { return dropped_ + bytes_.size(); }

  // Drops the first `count` bytes and appends others. Where there is no memory for them it throws
  // and changes nothing. Over many calls, each byte is copied a few times at most, and the memory
  // is a few times that of the bytes.
  void feed(std::size_t count, std::span<const std::uint8_t> more) {
    const auto left = bytes_.subspan(count);
    const std::size_t needed = left.size() + more.size();
    std::shared_ptr<Room> room = room_;
    std::uint8_t* end = room ? room->extend(left, more.size()) : nullptr;
    if (end == nullptr) {
      room = std::make_shared<Room>(needed);
      end = std::ranges::copy(left, room->extend({}, needed)).out;
    }
    std::ranges::copy(more, end);
    bytes_ = {end - left.size(), needed};
    owner_.reset();
    room_ = std::move(room);
    dropped_ += count;
  }

 private:
  // Memory for more bytes than there are.
  class Room {
   public:
    // For so many, and half as many again, so that all copies are in proportion to what is fed.
    explicit Room(std::size_t bytes)
        : size_(bytes + bytes / 2 + kLeast), bytes_(new std::uint8_t[size_]) {}

    // Where `count` bytes go that follow `left`, the first bytes or such that lie here; or null, if
    // there is too little room, far too much, or a copy has taken what follows.
    std::uint8_t* extend(std::span<const std::uint8_t> left, std::size_t count) {
      std::size_t from = 0;
      if (left.data() != nullptr)
        from = static_cast<std::size_t>(left.data() + left.size() - bytes_.get());
      const bool fits = count <= size_ - from && size_ / 4 <= left.size() + count + kLeast;
      return fits && used_.compare_exchange_strong(from, from + count) ? bytes_.get() + from
                                                                       : nullptr;
    }

   private:
    static constexpr std::size_t kLeast = 64;

    std::size_t size_;
    // NOLINTNEXTLINE(modernize-avoid-c-arrays): not cleared, as not all of it may be needed
    std::unique_ptr<std::uint8_t[]> bytes_;
    std::atomic<std::size_t> used_{0};
  };

  std::span<const std::uint8_t> bytes_;
  std::shared_ptr<const void> owner_;  // of bytes that were not fed
  std::shared_ptr<Room> room_;         // of others
  std::uint64_t dropped_;
};

}  // namespace torchac
