// What was measured, told twice: as indented text for people, and as one JSON value on one line for programs. Both are of the same
// names and numbers. By hand: the packaged C++ libraries need the C++ runtime that this program does without.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_REPORT_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_REPORT_H_

#include <stdint.h>

#include "delegate/benchmark/list.h"

namespace tflite_eq {

// Commas, quotes, escapes and indentation are the report's. What is in an object or array is written by a function that is called in
// between. Keys are null for elements of arrays, and for the outermost value.
class Report {
 public:
  // Of elements that are handed to Elements(): `depth` is that of the array.
  explicit Report(int depth = -1) : depth_(depth) { Clear(); }
  void Clear();

  template <typename Function>
  void Object(const char* key, Function contents) {
    Open(key, '{');
    contents();
    Close('}');
  }
  template <typename Function>
  void Array(const char* key, Function contents) {
    Open(key, '[');
    contents();
    Close(']');
  }
  // Keys and values in turn.
  template <typename Value, typename... Others>
  void Fields(const char* key, Value value, Others... others) {
    Write(key, value);
    if constexpr (sizeof...(Others) > 0) Fields(others...);
  }
  // Text shows them as 1x224x224x3.
  template <typename... Sizes>
  void Shape(const char* key, Sizes... sizes) {
    const int all[] = {sizes...};
    WriteShape(key, all, sizeof...(Sizes));
  }
  void Null(const char* key) { Scalar(key, "null"); }
  // What another report holds.
  void Elements(const Report& other);

  // So far, ended by a null.
  const char* json() const { return json_.begin(); }
  const char* text() const { return text_.begin(); }

 private:
  // Bytes that are not UTF-8 become U+FFFD, in text \x and two digits. A null pointer becomes null.
  void Write(const char* key, const char* value);
  void Write(const char* key, int value) { Write(key, int64_t{value}); }
  void Write(const char* key, int64_t value);
  // JSON has neither infinity nor NaN: they become null.
  void Write(const char* key, double value);
  void Write(const char* key, bool value) { Scalar(key, value ? "true" : "false"); }
  void WriteShape(const char* key, const int* sizes, int count);
  void Open(const char* key, char bracket);
  void Close(char bracket);
  void Name(const char* key);
  void QuoteJson(const char* value);
  void Scalar(const char* key, const char* both);
  void ScalarText(const char* key, const char* value);
  void BeginLine();

  List<char> json_, text_;  // with the null
  int depth_;
  bool first_ = true;                 // in its object or array, or behind its key
  const char* separator_ = nullptr;   // in front of the next scalar in text; null: it begins a line
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_REPORT_H_
