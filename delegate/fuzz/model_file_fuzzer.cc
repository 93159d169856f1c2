// eq_benchmark's look at a .tflite file, and its command line: any bytes are taken or refused by one line.
#include <cstring>
#include <string>
#include <vector>

#include "delegate/benchmark/model_file.h"
#include "delegate/fuzz/fail.h"

namespace tflite_eq {
namespace {

void CheckMessage(bool good, const Message& message) {
  const size_t length = strlen(message.text);
  if (good != (length == 0)) Fail(good ? std::string("accepted with an error: ") + message.text : "refused without a reason");
  if (memchr(message.text, '\n', length) != nullptr) Fail(std::string("an error of several lines: ") + message.text);
  if (length + 1 >= sizeof(message.text)) Fail(std::string("an error that was cut off: ") + message.text);
}

}  // namespace
}  // namespace tflite_eq

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tflite_eq::Message message;
  const bool good = tflite_eq::CheckModel(data, size, &message);
  tflite_eq::CheckMessage(good, message);
  return 0;
}
