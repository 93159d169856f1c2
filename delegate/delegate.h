// Makes and destroys delegates; the entry points in plugin.cc call nothing else.
#ifndef TFLITE_EQ_DELEGATE_DELEGATE_H_
#define TFLITE_EQ_DELEGATE_DELEGATE_H_

#include "delegate/options.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Null when memory runs out.
TfLiteDelegate* CreateDelegate(const DelegateOptions& options);
void DeleteDelegate(TfLiteDelegate* delegate);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_DELEGATE_H_
