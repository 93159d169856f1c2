// Makes and destroys delegates; the entry points in plugin.cc call nothing else.
#ifndef TFLITE_EQ_DELEGATE_DELEGATE_H_
#define TFLITE_EQ_DELEGATE_DELEGATE_H_

#include "delegate/options.h"
#include "delegate/tflite_abi.h"
#include "delegate/tflite_eq_observer.h"

namespace tflite_eq {

// Null when memory runs out.
TfLiteDelegate* CreateDelegate(const DelegateOptions& options);
// Not while the delegate is being given to an interpreter.
void ObserveDelegate(TfLiteDelegate* delegate, const TfLiteEqObserver& observer);
// Refuses further models and ends the threads as soon as no model uses them. Interpreters that have the delegate keep working;
// the handle stays valid until it is deleted.
void CloseDelegate(TfLiteDelegate* delegate);
// While an interpreter has the delegate, the last one to go deletes it.
void DeleteDelegate(TfLiteDelegate* delegate);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_DELEGATE_H_
