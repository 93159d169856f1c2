// Memory in which a program works, and which no invocation leaves anything in: the programs of one interpreter, which run one after the
// other, share it.
#ifndef TFLITE_EQ_DELEGATE_WORKSPACE_H_
#define TFLITE_EQ_DELEGATE_WORKSPACE_H_

#include <stddef.h>

#include "delegate/kernels/buffer.h"

namespace tflite_eq {

class Workspace {
 public:
  // What a program needs of it.
  struct Size {
    size_t scratch = 0;
    size_t tensors = 0;
  };

  // Makes room, beside that for other programs; everything may move. False when memory runs out; it may hold
  // less than before then.
  bool Grow(const Size& size) {
    return (scratch_.size() >= size.scratch || scratch_.Allocate(size.scratch)) &&
           (tensors_.size() >= size.tensors || tensors_.Allocate(size.tensors));
  }
  bool Holds(const Size& size) const { return scratch_.size() >= size.scratch && tensors_.size() >= size.tensors; }

  char* scratch() { return scratch_.as<char>(); }
  int8_t* tensors() { return tensors_.as<int8_t>(); }

 private:
  Buffer scratch_;
  Buffer tensors_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_WORKSPACE_H_
