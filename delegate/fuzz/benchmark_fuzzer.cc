// What eq_benchmark is handed: the bytes of a golden file, its command line, and names for its report. Any bytes are taken or refused by
// one line.
//
// A file cannot begin with a hyphen, nor with a quotation mark: behind a hyphen the bytes are command line arguments that end with a
// zero byte, behind a quotation mark a string that is reported.
#include <cstring>
#include <memory>
#include <string>

#include "delegate/benchmark/flags.h"
#include "delegate/benchmark/golden_run.h"
#include "delegate/benchmark/report.h"
#include "delegate/fuzz/fail.h"

namespace tflite_eq {
namespace {

void CheckMessage(bool good, const Message& message) {
  const size_t length = strlen(message.text);
  if (good != (length == 0)) Fail(good ? std::string("accepted with an error: ") + message.text : "refused without a reason");
  if (memchr(message.text, '\n', length) != nullptr) Fail(std::string("an error of several lines: ") + message.text);
  if (length + 1 >= sizeof(message.text)) Fail(std::string("an error that was cut off: ") + message.text);
}

// Every byte of a golden file that is taken for good is there.
void CheckGolden(const uint8_t* data, size_t size) {
  Message message;
  GoldenRun run;
  const bool good = run.Parse(data, size, &message);
  CheckMessage(good, message);
  if (!good) return;
  const int last = run.samples() - 1;
  const uint8_t* end = run.output_bytes(last, run.outputs() - 1) + run.output(run.outputs() - 1).bytes();
  if (end != data + size) Fail("samples that end elsewhere than the file");
  for (int i = 0; i < run.inputs(); ++i) {
    if (run.input(i).bytes() > 0 && *run.input_bytes(last, i) + strlen(run.input(i).name) > size + 255) Fail("a name without an end");
  }
}

// `text` ends with a zero byte.
void CheckCommandLine(const char* text, size_t size) {
  constexpr int kMostArguments = 32;
  const char* arguments[kMostArguments + 1] = {"eq_benchmark"};
  int count = 1;
  for (size_t begin = 0; begin < size && count <= kMostArguments; begin += strlen(&text[begin]) + 1) arguments[count++] = &text[begin];
  Flags flags;
  Message message;
  const bool good = ParseFlags(count, arguments, &flags, &message);
  CheckMessage(good, message);
  if (!good || flags.help || flags.version) return;  // these two take anything beside them
  if (flags.num_threads < 1 || flags.num_runs < 1 || !(flags.min_secs <= flags.max_secs)) Fail("flags out of range");
}

// RFC 8259: a string holds no quotation mark, backslash or control character but as part of an escape.
void CheckReport(const char* text) {
  Report report;
  report.Fields(nullptr, text);
  for (const char* c = report.text(); *c != '\0'; ++c) {
    if (*c < 0x20 || *c > 0x7e) Fail("text that a terminal may not show");
  }
  const char* c = report.json();
  if (*c++ != '"') Fail("a string that does not begin");
  for (; *c != '"'; ++c) {
    if (static_cast<unsigned char>(*c) < 0x20) Fail("a string with a control character, or without an end");
    if (*c != '\\') continue;
    ++c;
    if (*c == 'u') {
      if (strspn(c + 1, "0123456789abcdef") < 4) Fail("a broken escape");
      c += 4;
    } else if (*c != '"' && *c != '\\') {
      Fail("an unknown escape");
    }
  }
  if (c[1] != '\0') Fail("text behind a string");
}

}  // namespace
}  // namespace tflite_eq

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || (data[0] != '-' && data[0] != '"')) {
    tflite_eq::CheckGolden(data, size);
    return 0;
  }
  const std::unique_ptr<char[]> text(new char[size]);
  memcpy(text.get(), data + 1, size - 1);
  text[size - 1] = '\0';
  if (data[0] == '-') {
    tflite_eq::CheckCommandLine(text.get(), size - 1);
  } else {
    tflite_eq::CheckReport(text.get());
  }
  return 0;
}
