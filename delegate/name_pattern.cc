#include "delegate/name_pattern.h"

#include <string.h>

#include "delegate/quoted.h"

namespace tflite_eq {
namespace {

using Instruction = NameMatcher::Instruction;

// A character of the expression takes at most two instructions, and the end one.
int MostInstructions(const char* expression) { return 2 * static_cast<int>(strlen(expression)) + 2; }

// Translates by recursive descent: alternatives of sequences of repeated atoms.
class Translation {
 public:
  Translation(const char* text, Instruction* program) : text_(text), program_(program) {}

  // The number of instructions; 0 if the expression is none.
  int Run() {
    if (!Alternatives(0)) return 0;
    if (text_[at_] == ')') return Fail("a ) without its (; \\) is the character");
    Emit(Instruction::kMatch);
    return size_;
  }
  const char* error() const { return error_; }
  int position() const { return at_; }

 private:
  int Fail(const char* why) {
    error_ = why;
    return 0;
  }

  Instruction* Emit(Instruction::Kind kind) {
    program_[size_] = {kind, 0, 0, 0};
    return &program_[size_++];
  }

  // Makes room for one instruction before those from `start` on, which keep leading to each other.
  Instruction* Insert(int start, Instruction::Kind kind) {
    memmove(program_ + start + 1, program_ + start, sizeof(Instruction) * static_cast<size_t>(size_ - start));
    ++size_;
    for (int i = start + 1; i < size_; ++i) {
      Instruction& instruction = program_[i];
      if (instruction.kind != Instruction::kSplit && instruction.kind != Instruction::kJump) continue;
      ++instruction.first;
      ++instruction.second;
    }
    program_[start] = {kind, 0, 0, 0};
    return &program_[start];
  }

  static int16_t Target(int instruction) { return static_cast<int16_t>(instruction); }

  // A loop, not a recursion for each: there may be hundreds.
  bool Alternatives(int depth) {
    int jumps = -1;  // a list through `second` of those that lead behind the last
    for (;;) {
      const int start = size_;
      if (!Sequence(depth)) return false;
      if (text_[at_] != '|') break;
      ++at_;
      Insert(start, Instruction::kSplit);
      const int jump = size_;
      Emit(Instruction::kJump)->second = Target(jumps);
      jumps = jump;
      program_[start].first = Target(start + 1);
      program_[start].second = Target(size_);
    }
    while (jumps >= 0) {
      const int before = program_[jumps].second;
      program_[jumps].first = program_[jumps].second = Target(size_);
      jumps = before;
    }
    return true;
  }

  bool Sequence(int depth) {
    while (text_[at_] != '\0' && text_[at_] != '|' && text_[at_] != ')') {
      const int start = size_;
      if (!Atom(depth)) return false;
      if (!Repetition(start)) return false;
    }
    return true;
  }

  bool Repetition(int start) {
    const char kind = text_[at_];
    if (kind != '*' && kind != '+' && kind != '?') return true;
    ++at_;
    if (kind == '+') {
      Instruction* split = Emit(Instruction::kSplit);
      split->first = Target(start);
      split->second = Target(size_);
    } else {
      Insert(start, Instruction::kSplit);
      if (kind == '*') Emit(Instruction::kJump)->first = Target(start);
      if (kind == '*') program_[size_ - 1].second = Target(start);
      program_[start].first = Target(start + 1);
      program_[start].second = Target(size_);
    }
    if (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?') {
      return Fail("a repetition of a repetition: put ( ) around the first") != 0;
    }
    return true;
  }

  bool Atom(int depth) {
    const char character = text_[at_];
    switch (character) {
      case '(':
        if (depth == NamePattern::kDeepest) return Fail("too many parentheses inside each other: leave some out, 32 may be") != 0;
        ++at_;
        if (!Alternatives(depth + 1)) return false;
        if (text_[at_] != ')') return Fail("a ( without its ); \\( is the character") != 0;
        ++at_;
        return true;
      case '[':
        return Set();
      case '.':
        Emit(Instruction::kAny);
        break;
      case '^':
        Emit(Instruction::kBegin);
        break;
      case '$':
        Emit(Instruction::kEnd);
        break;
      case '*':
      case '+':
      case '?':
        return Fail("a repetition of nothing; with \\ before it, it is the character") != 0;
      case '{':
        return Fail("a repetition count, which is not supported: use + or *, or write it out; \\{ is the character") != 0;
      case '\\':
        if (IsDigit(text_[at_ + 1])) return Fail("a back-reference, which is not supported: write out what it repeats") != 0;
        if (IsLetter(text_[at_ + 1])) {
          return Fail("a \\ before a letter, which is not supported: write [0-9] for \\d, [A-Za-z0-9_] for \\w, [ ] for \\s") != 0;
        }
        if (text_[at_ + 1] == '\0') return Fail("a \\ before nothing; \\\\ is the character") != 0;
        ++at_;
        Emit(Instruction::kCharacter)->character = text_[at_];
        break;
      default:
        Emit(Instruction::kCharacter)->character = character;
        break;
    }
    ++at_;
    return true;
  }

  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
  static bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  bool Set() {
    const int first = at_ + 1;
    int last = first;
    if (text_[last] == '^') ++last;
    if (text_[last] == ']') ++last;  // in first place, the character
    while (text_[last] != '\0' && text_[last] != ']') {
      if (text_[last] == '[' && (text_[last + 1] == ':' || text_[last + 1] == '.' || text_[last + 1] == '=')) {
        return Fail("a named class of characters, which is not supported: write a-z or 0-9") != 0;
      }
      ++last;
    }
    if (text_[last] == '\0') return Fail("a [ without its ]; \\[ is the character") != 0;
    Instruction* set = Emit(Instruction::kSet);
    set->first = Target(first);
    set->second = Target(last - 1);
    at_ = last + 1;
    return true;
  }

  const char* text_;
  Instruction* program_;
  const char* error_ = "";
  int at_ = 0;
  int size_ = 0;
};

bool InSet(const char* first, const char* last, char character) {
  const auto code = [](char c) { return static_cast<unsigned char>(c); };
  const bool negated = *first == '^';
  if (negated) ++first;
  bool found = false;
  for (const char* at = first; at <= last; ++at) {
    if (at + 2 <= last && at[1] == '-') {
      found = found || (code(at[0]) <= code(character) && code(character) <= code(at[2]));
      at += 2;
    } else {
      found = found || *at == character;
    }
  }
  return found != negated;
}

}  // namespace

bool NamePattern::Set(const char* option, const char* expression, Reason* error) {
  if (strlen(expression) > kLongest) {
    error->Set("option %s: \"%s\" has %zu characters; a regular expression may have %d: shorten names with .*", option,
               Quoted(expression).text, strlen(expression), kLongest);
    return false;
  }
  if (expression[0] != '\0') {
    Array<Instruction> program;
    if (!program.Allocate(MostInstructions(expression))) {
      error->Set("option %s: out of memory", option);
      return false;
    }
    Translation translation(expression, program.begin());
    if (translation.Run() == 0) {
      error->Set("option %s: \"%s\" has, at character %d, %s", option, Quoted(expression).text, translation.position() + 1,
                 translation.error());
      return false;
    }
  }
  memcpy(text_, expression, strlen(expression) + 1);
  return true;
}

bool NameMatcher::Compile(const NamePattern& pattern) {
  if (!pattern.given()) return true;
  text_ = pattern.text();
  // A state is entered once a step, and leads to two at most.
  const int most = MostInstructions(text_);
  if (!program_.Allocate(most) || !states_.Allocate(most) || !next_.Allocate(most) || !stack_.Allocate(2 * most + 1) ||
      !visited_.Allocate(most)) {
    return false;
  }
  Translation(text_, program_.begin()).Run();
  return true;
}

// Adds the states that `start` leads to without a character.
void NameMatcher::Follow(int start, bool at_begin, bool at_end) {
  int size = 0;
  stack_[size++] = start;
  while (size > 0) {
    const int at = stack_[--size];
    if (visited_[at] == step_) continue;
    visited_[at] = step_;
    const Instruction& instruction = program_[at];
    switch (instruction.kind) {
      case Instruction::kBegin:
        if (at_begin) stack_[size++] = at + 1;
        break;
      case Instruction::kEnd:
        if (at_end) stack_[size++] = at + 1;
        break;
      case Instruction::kSplit:
      case Instruction::kJump:
        stack_[size++] = instruction.first;
        stack_[size++] = instruction.second;
        break;
      default:
        next_[state_count_++] = at;
        break;
    }
  }
}

bool NameMatcher::Advance(const Instruction& instruction, char character) const {
  switch (instruction.kind) {
    case Instruction::kCharacter:
      return instruction.character == character;
    case Instruction::kAny:
      return true;
    case Instruction::kSet:
      return InSet(text_ + instruction.first, text_ + instruction.second, character);
    default:
      return false;
  }
}

bool NameMatcher::Matches(const char* name) {
  if (!compiled()) return false;
  int states = 0;
  for (const char* at = name;; ++at) {
    const bool at_end = *at == '\0';
    ++step_;
    state_count_ = 0;
    for (int i = 0; i < states; ++i) {
      const int state = states_[i];
      if (Advance(program_[state], at[-1])) Follow(state + 1, false, at_end);
    }
    Follow(0, at == name, at_end);
    states = state_count_;
    for (int i = 0; i < states; ++i) {
      states_[i] = next_[i];
      if (program_[states_[i]].kind != Instruction::kMatch) continue;
      ++matches_;
      return true;
    }
    if (at_end) return false;
  }
}

}  // namespace tflite_eq
