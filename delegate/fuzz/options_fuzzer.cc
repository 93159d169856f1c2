// Options as strings, the way runtimes hand them over, and as the C API's structure: a delegate, or one line that says what is
// wrong and what is allowed.
//
// The first byte says how, the others are strings that end with a zero byte: names and values by turns. "\x01" stands for a
// missing (null) string.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "delegate/delegate.h"
#include "delegate/fuzz/byte_reader.h"
#include "delegate/fuzz/fail.h"
#include "delegate/name_pattern.h"
#include "delegate/options.h"
#include "delegate/tflite_eq_delegate.h"

extern "C" TfLiteDelegate* tflite_plugin_create_delegate(const char* const* keys, const char* const* values, size_t count,
                                                         void (*report_error)(const char*));
extern "C" void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate);

namespace tflite_eq {
namespace {

constexpr char kMissing = '\x01';
constexpr size_t kMostOptions = 32;

std::string* reported = nullptr;
int reports = 0;

// Printable, in well-formed UTF-8: what Python and logcat show as it stands.
bool IsPrintable(const char* text, size_t size) {
  for (size_t i = 0; i < size;) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    const size_t length = byte < 0x80 ? 1 : byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
    if (length == 0 || i + length > size) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

void CheckError(const char* error) {
  const size_t size = strlen(error);
  if (size == 0) Fail("a refusal without a reason");
  if (!IsPrintable(error, size)) Fail(std::string("an error with other than printable characters: ") + error);
  if (size + 1 >= sizeof(Reason::text)) Fail(std::string("an error that was cut off: ") + error);
}

void CheckParsed(const DelegateOptions& options) {
  if (options.num_threads < 0 || options.num_threads > 256) Fail("num_threads out of range");
  if (options.log_level < 0 || options.log_level > 2) Fail("log_level out of range");
}

// What an expression says is for name_pattern_test; here it must end, within its memory.
void CheckPatterns(const DelegateOptions& options) {
  for (const NamePattern* pattern : {&options.leave, &options.claim}) {
    if (!pattern->given()) continue;
    NameMatcher matcher;
    if (!matcher.Compile(*pattern)) Fail("an expression that was taken and does not compile");
    for (const char* name : {"", "aaaaaaaaaaaaaaaaaaaaaaaa", "model/conv2d_1/Relu;model/bn/FusedBatchNormV3"}) matcher.Matches(name);
    matcher.Matches(pattern->text());
  }
}

void CheckStrings(const char* const* keys, const char* const* values, size_t count, bool whole) {
  DelegateOptions options;
  Reason error;
  const bool good = ParseOptions(keys, values, count, &options, &error);
  if (good) {
    CheckParsed(options);
  } else {
    CheckError(error.text);
  }
  if (!whole) return;
  if (good) CheckPatterns(options);
  std::string text;
  reported = &text;
  reports = 0;
  TfLiteDelegate* delegate = tflite_plugin_create_delegate(keys, values, count, [](const char* message) {
    *reported = message;
    ++reports;
  });
  if ((delegate != nullptr) != good || reports != (good ? 0 : 1)) Fail("the plugin does not do what its parser says: " + text);
  if (!good && text != error.text) Fail("the plugin reports something else: " + text);
  tflite_plugin_destroy_delegate(delegate);
}

void CheckStructure(const char* const (&strings)[4], ByteReader* bytes, bool whole) {
  TfLiteEqDelegateOptions c = TfLiteEqDelegateOptionsDefault();
  c.num_threads = bytes->Between(-5, 250) * (bytes->OneIn(8) ? 1 << 22 : 1);
  c.log_level = bytes->Between(-2, 4);
  c.verify = bytes->OneIn(2);
  c.require_delegation = bytes->OneIn(2);
  c.profile = bytes->OneIn(2);
  c.reference_in_place = bytes->OneIn(2);
  if (bytes->OneIn(16)) c.struct_size = bytes->Word();
  if (bytes->OneIn(16)) c.reserved[bytes->Byte() % (sizeof(c.reserved) / sizeof(c.reserved[0]))] = bytes->Byte();
  c.min_saving = (bytes->Byte() - 128) * (bytes->OneIn(8) ? 1 << 24 : 1);
  c.kernel = strings[0];
  c.isa = strings[1];
  c.leave = strings[2];
  c.claim = strings[3];
  DelegateOptions options;
  Reason error;
  if (!OptionsFromC(c, &options, &error)) return CheckError(error.text);
  CheckParsed(options);
  if (!whole) return;
  CheckPatterns(options);
  TfLiteDelegate* delegate = TfLiteEqDelegateCreate(&c);
  if (delegate == nullptr) Fail("the C API refuses what its parser takes");
  TfLiteEqDelegateDelete(delegate);
}

}  // namespace
}  // namespace tflite_eq

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tflite_eq;
  ByteReader bytes(data, size);
  const uint8_t mode = bytes.Byte();
  // To look at the CPU takes far longer than to read options: delegates are made of one input in sixteen.
  const bool structure = mode % 4 == 3, whole = mode >= 0xf0;
  // One block for all strings, the last one ended as well: what is allocated for each of them takes most of the time.
  const std::unique_ptr<char[]> text(new char[size + 1]);
  if (size > 0) memcpy(text.get(), data, size);
  text[size] = '\0';
  const char* strings[2 * kMostOptions];
  size_t count = 0;
  for (size_t begin = 1; begin < size && count < 2 * kMostOptions; begin += strlen(&text[begin]) + 1) {
    const bool missing = text[begin] == kMissing && text[begin + 1] == '\0';
    strings[count++] = missing ? nullptr : &text[begin];
  }
  if (structure) {
    for (size_t i = count; i < 4; ++i) strings[i] = nullptr;
    CheckStructure({strings[0], strings[1], strings[2], strings[3]}, &bytes, whole);
    return 0;
  }
  const char *keys[kMostOptions], *values[kMostOptions];
  for (size_t i = 0; i < count; ++i) (i % 2 == 0 ? keys : values)[i / 2] = strings[i];
  if (count % 2 != 0) values[count / 2] = "";
  CheckStrings(keys, values, (count + 1) / 2, whole);
  return 0;
}
