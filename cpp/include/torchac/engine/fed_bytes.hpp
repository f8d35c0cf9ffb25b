// The bytes of a stream that grows at its end, while bytes in front are dropped.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace torchac {

// A copy shares the memory, but is fed separately.
class FedBytes {
 public:
  // `owner` keeps `bytes` alive; `dropped` bytes were in front of them.
  FedBytes(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner,
           std::uint64_t dropped = 0)
      : bytes_(bytes), owner_(std::move(owner)), dropped_(dropped) {}

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::uint64_t size() const { return dropped_ + bytes_.size(); }

  // Drops the first `count` bytes and appends others. If there is not enough memory, throws and
  // changes nothing. Over many calls, each byte is copied at most a few times, and the memory is a
  // few times that of the bytes.
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
    // Room for half as many bytes again, so that all copies are in proportion to the fed bytes.
    explicit Room(std::size_t bytes)
        : size_(bytes + bytes / 2 + kLeast), bytes_(new std::uint8_t[size_]) {}

    // Returns where to put `count` bytes that follow `left`, which is empty or in this room. Null
    // if there is too little room, or far too much, or if a copy has used the room after `left`.
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
    // NOLINTNEXTLINE(modernize-avoid-c-arrays): not cleared, because not all may be needed
    std::unique_ptr<std::uint8_t[]> bytes_;
    std::atomic<std::size_t> used_{0};
  };

  std::span<const std::uint8_t> bytes_;
  std::shared_ptr<const void> owner_;  // of the bytes before any were fed
  std::shared_ptr<Room> room_;         // of the bytes after that
  std::uint64_t dropped_;
};

}  // namespace torchac
