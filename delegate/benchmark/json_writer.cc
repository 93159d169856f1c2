#include "delegate/benchmark/json_writer.h"

#include <math.h>
#include <stdio.h>

namespace tflite_eq {
namespace {

// Bytes of the UTF-8 sequence at `s`, or 0 when it is none: too long, cut off, a surrogate, or beyond U+10FFFF.
int SequenceLength(const unsigned char* s) {
  const int length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
  for (int i = 1; i < length; ++i) {
    if ((s[i] & 0xc0) != 0x80) return 0;  // a terminating null ends the look here too
  }
  if (length == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))) return 0;
  if (length == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))) return 0;
  return length;
}

}  // namespace

void JsonWriter::Character(char c) {
  text_[text_.size() - 1] = c;
  text_.Add('\0');
}

void JsonWriter::Raw(const char* text) {
  for (; *text != '\0'; ++text) Character(*text);
}

void JsonWriter::Separate() {
  if (!first_) Raw(", ");
  first_ = false;
}

void JsonWriter::Open(char bracket) {
  Separate();
  Character(bracket);
  first_ = true;
}

void JsonWriter::Close(char bracket) {
  Character(bracket);
  first_ = false;
}

void JsonWriter::Key(const char* key) {
  String(key);
  Raw(": ");
  first_ = true;
}

void JsonWriter::String(const char* value) {
  if (value == nullptr) return Null();
  Separate();
  Character('"');
  for (const auto* s = reinterpret_cast<const unsigned char*>(value); *s != '\0';) {
    const int length = SequenceLength(s);
    if (length == 0) {
      Raw("\\ufffd");
      ++s;
      continue;
    }
    if (*s < 0x20) {
      char escape[8];
      snprintf(escape, sizeof(escape), "\\u%04x", *s);
      Raw(escape);
    } else {
      if (*s == '"' || *s == '\\') Character('\\');
      for (int i = 0; i < length; ++i) Character(static_cast<char>(s[i]));
    }
    s += length;
  }
  Character('"');
}

void JsonWriter::Integer(int64_t value) {
  Separate();
  char digits[24];
  snprintf(digits, sizeof(digits), "%lld", static_cast<long long>(value));
  Raw(digits);
}

void JsonWriter::Number(double value) {
  if (!isfinite(value)) return Null();
  Separate();
  char digits[32];
  snprintf(digits, sizeof(digits), "%.6g", value);
  Raw(digits);
}

void JsonWriter::Bool(bool value) {
  Separate();
  Raw(value ? "true" : "false");
}

void JsonWriter::Null() {
  Separate();
  Raw("null");
}

}  // namespace tflite_eq
