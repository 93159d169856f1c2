#include "delegate/quoted.h"

#include <string.h>

namespace tflite_eq {

Quoted::Quoted(const char* from, int most) {
  if (most > kLongest) most = kLongest;
  constexpr char kDigits[] = "0123456789abcdef";
  char* to = text;
  for (; *from != '\0'; ++from) {
    const auto byte = static_cast<unsigned char>(*from);
    const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"';
    if (to - text + (plain ? 1 : 4) > most) {
      memcpy(to, "...", 3);
      to += 3;
      break;
    }
    if (plain) {
      *to++ = *from;
      continue;
    }
    *to++ = '\\';
    *to++ = 'x';
    *to++ = kDigits[byte >> 4];
    *to++ = kDigits[byte & 15];
  }
  *to = '\0';
}

}  // namespace tflite_eq
