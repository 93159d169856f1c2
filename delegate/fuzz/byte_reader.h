// Decisions drawn from a fuzzer's bytes, one after the other. Behind the last byte everything is zero, so that any prefix of an
// input is an input too.
#ifndef TFLITE_EQ_DELEGATE_FUZZ_BYTE_READER_H_
#define TFLITE_EQ_DELEGATE_FUZZ_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace tflite_eq {

class ByteReader {
 public:
  ByteReader(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}

  bool empty() const { return data_ == end_; }
  uint8_t Byte() { return data_ < end_ ? *data_++ : 0; }
  uint32_t Word() {
    uint32_t word = Byte();
    word |= static_cast<uint32_t>(Byte()) << 8;
    return word;
  }
  // In [low, high], at most 256 values apart.
  int Between(int low, int high) { return low + Byte() % (high - low + 1); }
  // True for about one in `n` random bytes, never behind the last.
  bool OneIn(int n) { return Byte() % n == n - 1; }

  template <typename T, size_t N>
  T Pick(const T (&values)[N]) {
    static_assert(N <= 256, "");
    return values[Byte() % N];
  }

  // Up to and including the separator, which is left out.
  std::string TextUntil(uint8_t separator) {
    std::string text;
    while (data_ < end_ && *data_ != separator) text.push_back(static_cast<char>(*data_++));
    if (data_ < end_) ++data_;
    return text;
  }

 private:
  const uint8_t* data_;
  const uint8_t* end_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_FUZZ_BYTE_READER_H_
