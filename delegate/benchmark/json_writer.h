// Writes one JSON value on one line. By hand: the packaged C++ libraries need the C++ runtime that this program does without.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_JSON_WRITER_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_JSON_WRITER_H_

#include <stdint.h>

#include "delegate/benchmark/list.h"

namespace tflite_eq {

// Commas, quotes and escapes are the writer's. What is in an object or array is written by a function that is called in between.
class JsonWriter {
 public:
  JsonWriter() { text_.Add('\0'); }

  template <typename Function>
  void Object(Function contents) {
    Open('{');
    contents();
    Close('}');
  }
  template <typename Function>
  void Array(Function contents) {
    Open('[');
    contents();
    Close(']');
  }
  // The same as a field of an object.
  template <typename Function>
  void Object(const char* key, Function contents) {
    Key(key);
    Object(contents);
  }
  template <typename Function>
  void Array(const char* key, Function contents) {
    Key(key);
    Array(contents);
  }

  // Fields of an object: keys and values in turn.
  template <typename Value, typename... Others>
  void Fields(const char* key, Value value, Others... others) {
    Key(key);
    Write(value);
    if constexpr (sizeof...(Others) > 0) Fields(others...);
  }
  void Null(const char* key) {
    Key(key);
    Null();
  }

  // Bytes that are not UTF-8 become U+FFFD, a null pointer becomes null.
  void String(const char* value);
  void Integer(int64_t value);
  void Bool(bool value);
  void Null();
  // JSON has neither infinity nor NaN: they become null.
  void Number(double value);

  // The text so far, ended by a null.
  const char* text() const { return text_.begin(); }

 private:
  void Write(const char* value) { String(value); }
  void Write(int value) { Integer(value); }
  void Write(int64_t value) { Integer(value); }
  void Write(double value) { Number(value); }
  void Write(bool value) { Bool(value); }
  void Key(const char* key);
  void Open(char bracket);
  void Close(char bracket);
  void Separate();
  void Raw(const char* text);
  void Character(char c);

  List<char> text_;  // with the null
  bool first_ = true;  // the next value is the first in its object or array, or follows its key
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_JSON_WRITER_H_
