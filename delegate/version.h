// The version of the library and of its Python module; that of the Python package in tflite_eq/version.py is the same.
#ifndef TFLITE_EQ_DELEGATE_VERSION_H_
#define TFLITE_EQ_DELEGATE_VERSION_H_

namespace tflite_eq {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_VERSION_H_
