// Layers named by a regular expression: which output tensors' names an option means.
//
// Extended regular expressions without what makes them expensive: characters, . [a-z] [^a-z] ( ) | * + ? ^ $ and \ before a
// character that means itself. The C library's own take exponential time or space for some expressions that an option may hold,
// and its stack; this matcher takes time proportional to the expression's length times the name's, whatever they are.
#ifndef TFLITE_EQ_DELEGATE_NAME_PATTERN_H_
#define TFLITE_EQ_DELEGATE_NAME_PATTERN_H_

#include <stdint.h>

#include "delegate/array.h"
#include "delegate/kernels/reason.h"

namespace tflite_eq {

// An expression that was checked. Empty: none was given.
class NamePattern {
 public:
  static constexpr int kLongest = 1023;
  static constexpr int kDeepest = 32;  // parentheses inside each other

  // False with a message that names the option, what is wrong and where.
  bool Set(const char* option, const char* expression, Reason* error);

  bool given() const { return text_[0] != '\0'; }
  const char* text() const { return text_; }

 private:
  char text_[kLongest + 1] = "";
};

// A pattern at work. It matches anywhere in a name; ^ and $ tie it to the ends.
class NameMatcher {
 public:
  // False when memory runs out. The pattern's text must outlive the matcher.
  bool Compile(const NamePattern& pattern);
  // Counts the names it matches. Never without a pattern.
  bool Matches(const char* name);
  bool compiled() const { return program_.size() > 0; }
  int matches() const { return matches_; }

  // A step of the automaton that an expression is translated to (Thompson, 1968): all its states are followed at once.
  struct Instruction {
    enum Kind : uint8_t { kCharacter, kAny, kSet, kBegin, kEnd, kSplit, kJump, kMatch };
    Kind kind;
    char character;
    // Where kSplit and kJump lead; of kSet, the first and last character between the brackets.
    int16_t first;
    int16_t second;
  };

 private:
  void Follow(int start, bool at_begin, bool at_end);
  bool Advance(const Instruction& instruction, char character) const;

  const char* text_ = nullptr;
  Array<Instruction> program_;
  Array<int> states_;     // that consume a character, or match
  Array<int> next_;
  Array<int> stack_;
  Array<int> visited_;    // the step in which an instruction was last followed
  int state_count_ = 0;
  int step_ = 0;
  int matches_ = 0;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_NAME_PATTERN_H_
