// Options as strings, the way runtimes hand them over, and as the C API's structure: a delegate, or one line that says what is
// wrong and what is allowed.
//
// The bytes are strings that end with a zero byte: names and values by turns. "\x01" stands for a missing (null) string.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "delegate/delegate.h"
#include "delegate/fuzz/byte_reader.h"
#include "delegate/fuzz/fail.h"
#include "delegate/options.h"
#include "delegate/tflite_eq_delegate.h"

extern "C" TfLiteDelegate* tflite_plugin_create_delegate(const char* const* keys, const char* const* values, size_t count,
                                                         void (*report_error)(const char*));
extern "C" void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate);

namespace tflite_eq {
namespace {

constexpr char kNullString[] = "\x01";
constexpr size_t kMostStrings = 64;

std::string* reported = nullptr;
int reports = 0;

// Printable, in well-formed UTF-8: what Python and logcat show as it stands.
bool IsPrintable(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    const size_t length = byte < 0x80 ? 1 : byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

void CheckError(const std::string& error) {
  if (error.empty()) Fail("a refusal without a reason");
  if (!IsPrintable(error)) Fail("an error with other than printable characters: " + error);
  if (error.size() + 1 >= sizeof(Reason::text)) Fail("an error that was cut off: " + error);
}

void CheckParsed(const DelegateOptions& options) {
  if (options.num_threads < 0 || options.num_threads > 256) Fail("num_threads out of range");
  if (options.log_level < 0 || options.log_level > 2) Fail("log_level out of range");
}

void CheckStrings(const std::vector<const char*>& keys, const std::vector<const char*>& values) {
  DelegateOptions options;
  Reason error;
  const bool good = ParseOptions(keys.data(), values.data(), keys.size(), &options, &error);
  if (good) {
    CheckParsed(options);
  } else {
    CheckError(error.text);
  }
  std::string text;
  reported = &text;
  reports = 0;
  TfLiteDelegate* delegate = tflite_plugin_create_delegate(keys.data(), values.data(), keys.size(), [](const char* message) {
    *reported = message;
    ++reports;
  });
  if ((delegate != nullptr) != good || reports != (good ? 0 : 1)) Fail("the plugin does not do what its parser says: " + text);
  if (!good && text != error.text) Fail("the plugin reports something else: " + text);
  tflite_plugin_destroy_delegate(delegate);
}

void CheckStructure(const std::vector<const char*>& strings, ByteReader* bytes) {
  TfLiteEqDelegateOptions c = TfLiteEqDelegateOptionsDefault();
  c.num_threads = bytes->Between(-5, 250) * (bytes->OneIn(8) ? 1 << 22 : 1);
  c.log_level = bytes->Between(-2, 4);
  c.verify = bytes->OneIn(2);
  c.require_delegation = bytes->OneIn(2);
  c.profile = bytes->OneIn(2);
  c.reference_in_place = bytes->OneIn(2);
  if (bytes->OneIn(16)) c.struct_size = bytes->Word();
  if (bytes->OneIn(16)) c.reserved[bytes->Byte() % (sizeof(c.reserved) / sizeof(c.reserved[0]))] = bytes->Byte();
  if (!strings.empty()) c.kernel = strings[0];
  if (strings.size() > 1) c.isa = strings[1];
  DelegateOptions options;
  Reason error;
  if (!OptionsFromC(c, &options, &error)) return CheckError(error.text);
  CheckParsed(options);
  TfLiteDelegate* delegate = TfLiteEqDelegateCreate(&c);
  if (delegate == nullptr) Fail("the C API refuses what its parser takes");
  TfLiteEqDelegateDelete(delegate);
}

}  // namespace
}  // namespace tflite_eq

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tflite_eq::ByteReader bytes(data, size);
  const bool structure = bytes.OneIn(4);
  std::vector<std::string> texts;
  while (!bytes.empty() && texts.size() < tflite_eq::kMostStrings) texts.push_back(bytes.TextUntil('\0'));
  std::vector<const char*> keys, values, all;
  for (const std::string& text : texts) {
    const char* string = text == tflite_eq::kNullString ? nullptr : text.c_str();
    (all.size() % 2 == 0 ? keys : values).push_back(string);
    all.push_back(string);
  }
  if (keys.size() > values.size()) values.push_back("");
  if (structure) {
    tflite_eq::ByteReader fields(data, size);
    tflite_eq::CheckStructure(all, &fields);
  } else {
    tflite_eq::CheckStrings(keys, values);
  }
  return 0;
}
