#include "delegate/benchmark/report.h"

#include <math.h>

#include <initializer_list>

#include "delegate/benchmark/message.h"
#include "delegate/quoted.h"

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

void Add(const char* text, List<char>* to) {
  for (; *text != '\0'; ++text) {
    (*to)[to->size() - 1] = *text;
    to->Add('\0');
  }
}

}  // namespace

void Report::Clear() {
  for (List<char>* list : {&json_, &text_}) {
    list->Clear();
    list->Add('\0');
  }
  first_ = true;
  separator_ = nullptr;
}

void Report::QuoteJson(const char* value) {
  Add("\"", &json_);
  for (const auto* s = reinterpret_cast<const unsigned char*>(value); *s != '\0';) {
    const int length = SequenceLength(s);
    char character[8] = "\\ufffd";
    if (length == 1 && *s < 0x20) {
      snprintf(character, sizeof(character), "\\u%04x", *s);
    } else if (length > 0) {
      snprintf(character, sizeof(character), "%s%.*s", *s == '"' || *s == '\\' ? "\\" : "", length, reinterpret_cast<const char*>(s));
    }
    Add(character, &json_);
    s += length > 0 ? length : 1;
  }
  Add("\"", &json_);
}

void Report::Name(const char* key) {
  if (!first_) Add(", ", &json_);
  first_ = false;
  if (key == nullptr) return;
  QuoteJson(key);
  Add(": ", &json_);
}

void Report::BeginLine() {
  if (text_.size() > 1) Add("\n", &text_);
  for (int i = 0; i < depth_; ++i) Add("  ", &text_);
}

void Report::ScalarText(const char* key, const char* value) {
  if (separator_ == nullptr) BeginLine();
  Add(separator_ != nullptr ? separator_ : "", &text_);
  separator_ = ", ";
  Add(key != nullptr ? key : "", &text_);
  Add(key != nullptr ? " " : "", &text_);
  Add(value, &text_);
}

void Report::Scalar(const char* key, const char* both) {
  Name(key);
  Add(both, &json_);
  ScalarText(key, both);
}

void Report::Write(const char* key, const char* value) {
  if (value == nullptr) return Null(key);
  Name(key);
  QuoteJson(value);
  ScalarText(key, Quoted(value, Quoted::kLongest).text);
}

void Report::Write(const char* key, int64_t value) {
  char digits[24];
  snprintf(digits, sizeof(digits), "%lld", static_cast<long long>(value));
  Scalar(key, digits);
}

void Report::Write(const char* key, double value) {
  char digits[32] = "null";
  if (isfinite(value)) snprintf(digits, sizeof(digits), "%.6g", value);
  Scalar(key, digits);
}

void Report::WriteShape(const char* key, const int* sizes, int count) {
  Message json, text;
  for (int i = 0; i < count; ++i) {
    json.Append("%s%d", i > 0 ? ", " : "", sizes[i]);
    text.Append("%s%d", i > 0 ? "x" : "", sizes[i]);
  }
  Name(key);
  Add("[", &json_);
  Add(json.text, &json_);
  Add("]", &json_);
  ScalarText(key, text.text);
}

void Report::Open(const char* key, char bracket) {
  const char opening[] = {bracket, '\0'};
  Name(key);
  Add(opening, &json_);
  first_ = true;
  BeginLine();
  Add(key != nullptr ? key : "", &text_);
  Add(key != nullptr ? ":" : "", &text_);
  separator_ = key != nullptr ? " " : "";
  ++depth_;
}

void Report::Close(char bracket) {
  const char closing[] = {bracket, '\0'};
  Add(closing, &json_);
  first_ = false;
  separator_ = nullptr;
  --depth_;
}

void Report::Elements(const Report& other) {
  if (*other.json() == '\0') return;
  Name(nullptr);
  Add(other.json(), &json_);
  Add("\n", &text_);
  Add(other.text(), &text_);
  separator_ = nullptr;
}

}  // namespace tflite_eq
