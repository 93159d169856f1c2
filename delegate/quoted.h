// Text from outside, options and names of tensors, as it may stand in a message: short, on one line, in plain ASCII.
#ifndef TFLITE_EQ_DELEGATE_QUOTED_H_
#define TFLITE_EQ_DELEGATE_QUOTED_H_

namespace tflite_eq {

// Printable ASCII as it is; other bytes and quotation marks as \x and two digits; "..." for what is left out at the end. Log files
// and Python (which drops a message that is not UTF-8) get it whole.
struct Quoted {
  static constexpr int kMostCharacters = 40;  // where a message has little room
  static constexpr int kLongest = 200;

  explicit Quoted(const char* from, int most = kMostCharacters);
  char text[kLongest + 4];
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_QUOTED_H_
