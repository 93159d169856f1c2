// Writes one JSON value on one line. By hand: the packaged C++ libraries need the C++ runtime that this program does without.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_JSON_WRITER_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_JSON_WRITER_H_

#include <stdint.h>

#include "delegate/benchmark/list.h"

namespace tflite_eq {

// Begin and End pair up; inside an object every value has a key before it. Commas, quotes and escapes are the writer's.
class JsonWriter {
 public:
  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  void Key(const char* key);

  // Bytes that are not UTF-8 become U+FFFD, a null pointer becomes null.
  void String(const char* value);
  void Integer(int64_t value);
  void Bool(bool value);
  void Null();
  // JSON has neither infinity nor NaN: they become null.
  void Number(double value);

  void Field(const char* key, const char* value) { Key(key), String(value); }
  void Field(const char* key, int value) { Key(key), Integer(value); }
  void Field(const char* key, int64_t value) { Key(key), Integer(value); }
  void Field(const char* key, double value) { Key(key), Number(value); }
  void Field(const char* key, bool value) { Key(key), Bool(value); }

  // The text so far, ended by a null.
  const char* text();

 private:
  void Open(char bracket);
  void Close(char bracket);
  void Separate();
  void Raw(const char* text);

  List<char> text_;
  bool first_ = true;  // the next value is the first in its object or array, or follows its key
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_JSON_WRITER_H_
