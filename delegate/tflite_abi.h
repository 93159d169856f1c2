// TFLite's C ABI, as far as a delegate meets it. The library is compiled against this mirror rather than TFLite's headers and
// links no TFLite, so that one binary runs on every runtime from 2.14 on.
//
// Offsets are those of TFLite 2.14 and have not moved since; newer runtimes only append. TfLiteRegistration and
// TfLiteDelegate are handed to the runtime, by value or to be read, so they are declared with a zeroed reserve behind the
// longest known layout: a newer runtime then reads "absent" rather than whatever follows. The other structures are only
// read here, up to the fields every runtime has.
#ifndef TFLITE_EQ_DELEGATE_TFLITE_ABI_H_
#define TFLITE_EQ_DELEGATE_TFLITE_ABI_H_

#include <stddef.h>
#include <stdint.h>

extern "C" {

typedef enum { kTfLiteOk = 0, kTfLiteError = 1, kTfLiteDelegateError = 2 } TfLiteStatus;

typedef enum {
  kTfLiteNoType = 0,
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteUInt8 = 3,
  kTfLiteInt64 = 4,
  kTfLiteBool = 6,
  kTfLiteInt16 = 7,
  kTfLiteInt8 = 9
} TfLiteType;

typedef enum { kTfLitePaddingUnknown = 0, kTfLitePaddingSame = 1, kTfLitePaddingValid = 2 } TfLitePadding;

typedef enum { kTfLiteMirrorPaddingUnknown = 0, kTfLiteMirrorPaddingReflect = 1, kTfLiteMirrorPaddingSymmetric = 2 } TfLiteMirrorPaddingMode;

typedef enum { kTfLiteActNone = 0, kTfLiteActRelu = 1, kTfLiteActReluN1To1 = 2, kTfLiteActRelu6 = 3 } TfLiteFusedActivation;

typedef enum { kTfLiteMemNone = 0, kTfLiteMmapRo = 1, kTfLiteArenaRw = 2, kTfLiteDynamic = 4 } TfLiteAllocationType;

typedef enum { kTfLiteNoQuantization = 0, kTfLiteAffineQuantization = 1 } TfLiteQuantizationType;

enum {
  kTfLiteBuiltinAdd = 0,
  kTfLiteBuiltinAveragePool2d = 1,
  kTfLiteBuiltinConcatenation = 2,
  kTfLiteBuiltinConv2d = 3,
  kTfLiteBuiltinDepthwiseConv2d = 4,
  kTfLiteBuiltinDepthToSpace = 5,
  kTfLiteBuiltinLogistic = 14,
  kTfLiteBuiltinMaxPool2d = 17,
  kTfLiteBuiltinMul = 18,
  kTfLiteBuiltinRelu = 19,
  kTfLiteBuiltinReluN1To1 = 20,
  kTfLiteBuiltinRelu6 = 21,
  kTfLiteBuiltinReshape = 22,
  kTfLiteBuiltinResizeBilinear = 23,
  kTfLiteBuiltinSpaceToDepth = 26,
  kTfLiteBuiltinTanh = 28,
  kTfLiteBuiltinPad = 34,
  kTfLiteBuiltinTranspose = 39,
  kTfLiteBuiltinMean = 40,
  kTfLiteBuiltinSub = 41,
  kTfLiteBuiltinSqueeze = 43,
  kTfLiteBuiltinStridedSlice = 45,
  kTfLiteBuiltinExp = 47,
  kTfLiteBuiltinSplit = 49,
  kTfLiteBuiltinDelegate = 51,
  kTfLiteBuiltinPrelu = 54,
  kTfLiteBuiltinMaximum = 55,
  kTfLiteBuiltinMinimum = 57,
  kTfLiteBuiltinPadv2 = 60,
  kTfLiteBuiltinSlice = 65,
  kTfLiteBuiltinTransposeConv = 67,
  kTfLiteBuiltinExpandDims = 70,
  kTfLiteBuiltinReduceMax = 82,
  kTfLiteBuiltinPack = 83,
  kTfLiteBuiltinUnpack = 88,
  kTfLiteBuiltinReduceMin = 89,
  kTfLiteBuiltinResizeNearestNeighbor = 97,
  kTfLiteBuiltinLeakyRelu = 98,
  kTfLiteBuiltinMirrorPad = 100,
  kTfLiteBuiltinAbs = 101,
  kTfLiteBuiltinSplitV = 102,
  kTfLiteBuiltinQuantize = 114,
  kTfLiteBuiltinHardSwish = 117,
  kTfLiteBuiltinGelu = 150,
  kTfLiteBuiltinRelu0To1 = 152,
};

// What a delegate asks of the runtime, as Subgraph::ModifyGraphWithDelegate and PrepareOpsAndTensors do it in 2.14 to 2.19 and LiteRT.
//
// Without AllowDynamicTensors the runtime prepares the whole model before the delegate is applied, and refuses the delegate where any
// tensor is dynamic. Afterwards the graph is immutable: a resize takes the delegate's nodes away, and the next AllocateTensors applies
// the delegate anew.
//
// With it the delegate's nodes stay, and RequirePropagatedShapes has the runtime prepare the original nodes, those that the delegate
// claimed among them, before it prepares the delegate's: the shapes of tensors that are not dynamic are then known by the time a
// delegate's node is prepared, and what the runtime's own kernels refuse to prepare is refused in their words. Without it, only the
// nodes of the present plan are prepared, and a delegate has to give its outputs their shapes by itself. (It changes nothing without
// AllowDynamicTensors.)
//
// Neither promises anything about shapes behind a dynamic tensor. The runtime stops preparing at the node that writes it and goes on
// while it invokes, and counts then the original nodes from the position that it has reached in the present plan, which is another.
enum { kTfLiteDelegateFlagsAllowDynamicTensors = 1, kTfLiteDelegateFlagsRequirePropagatedShapes = 2 };

typedef struct TfLiteIntArray {
  int size;
  int data[];
} TfLiteIntArray;

typedef struct TfLiteFloatArray {
  int size;
  float data[];
} TfLiteFloatArray;

typedef struct TfLiteAffineQuantizationParams {
  TfLiteFloatArray* scale;
  TfLiteIntArray* zero_point;
  int32_t quantized_dimension;
} TfLiteAffineQuantizationParams;

typedef struct TfLiteTensor {
  int32_t type;
  union {
    void* raw;
    int8_t* int8;
    int32_t* i32;
  } data;
  TfLiteIntArray* dims;
  struct {
    float scale;
    int32_t zero_point;
  } params;
  int32_t allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  struct TfLiteDelegate* delegate;
  int32_t buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct {
    int32_t type;
    void* params;
  } quantization;
  void* sparsity;
  const TfLiteIntArray* dims_signature;
} TfLiteTensor;

typedef struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  TfLiteIntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  struct TfLiteDelegate* delegate;
  bool might_have_side_effect;
} TfLiteNode;

typedef struct TfLiteConvParams {
  int32_t padding;
  int stride_width;
  int stride_height;
  int32_t activation;
  int dilation_width_factor;
  int dilation_height_factor;
} TfLiteConvParams;

typedef struct TfLiteDepthwiseConvParams {
  int32_t padding;
  int stride_width;
  int stride_height;
  int depth_multiplier;
  int32_t activation;
  int dilation_width_factor;
  int dilation_height_factor;
} TfLiteDepthwiseConvParams;

typedef struct TfLitePoolParams {
  int32_t padding;
  int stride_width;
  int stride_height;
  int filter_width;
  int filter_height;
  int32_t activation;
} TfLitePoolParams;

typedef struct TfLiteTransposeConvParams {
  int32_t padding;
  int stride_width;
  int stride_height;
  int32_t activation;
} TfLiteTransposeConvParams;

typedef struct TfLiteGeluParams {
  bool approximate;
} TfLiteGeluParams;

typedef struct TfLiteConcatenationParams {
  int axis;
  int32_t activation;
} TfLiteConcatenationParams;

typedef struct TfLiteAddParams {
  int32_t activation;
} TfLiteAddParams;

typedef struct TfLiteSubParams {
  int32_t activation;
} TfLiteSubParams;

typedef struct TfLiteMulParams {
  int32_t activation;
} TfLiteMulParams;

typedef struct TfLiteReshapeParams {
  int shape[8];
  int num_dimensions;
} TfLiteReshapeParams;

typedef struct TfLiteSqueezeParams {
  int squeeze_dims[8];
  int num_squeeze_dims;
} TfLiteSqueezeParams;

typedef struct TfLiteStridedSliceParams {
  int begin_mask;
  int end_mask;
  int ellipsis_mask;
  int new_axis_mask;
  int shrink_axis_mask;
  bool offset;
} TfLiteStridedSliceParams;

typedef struct TfLiteSpaceToDepthParams {
  int block_size;
} TfLiteSpaceToDepthParams;

typedef struct TfLiteDepthToSpaceParams {
  int block_size;
} TfLiteDepthToSpaceParams;

typedef struct TfLitePackParams {
  int values_count;
  int axis;
} TfLitePackParams;

typedef struct TfLiteUnpackParams {
  int num;
  int axis;
} TfLiteUnpackParams;

typedef struct TfLiteMirrorPaddingParams {
  int32_t mode;
} TfLiteMirrorPaddingParams;

typedef struct TfLiteLeakyReluParams {
  float alpha;
} TfLiteLeakyReluParams;

typedef struct TfLiteReducerParams {
  bool keep_dims;
} TfLiteReducerParams;

typedef struct TfLiteResizeBilinearParams {
  bool align_corners;
  bool half_pixel_centers;
} TfLiteResizeBilinearParams;

typedef struct TfLiteResizeNearestNeighborParams {
  bool align_corners;
  bool half_pixel_centers;
} TfLiteResizeNearestNeighborParams;

typedef struct TfLiteDelegateParams {
  struct TfLiteDelegate* delegate;
  TfLiteIntArray* nodes_to_replace;
  TfLiteIntArray* input_tensors;
  TfLiteIntArray* output_tensors;
} TfLiteDelegateParams;

struct TfLiteContext;

typedef struct TfLiteRegistration {
  void* (*init)(struct TfLiteContext* context, const char* buffer, size_t length);
  void (*free)(struct TfLiteContext* context, void* buffer);
  TfLiteStatus (*prepare)(struct TfLiteContext* context, TfLiteNode* node);
  TfLiteStatus (*invoke)(struct TfLiteContext* context, TfLiteNode* node);
  const char* (*profiling_string)(const struct TfLiteContext* context, const TfLiteNode* node);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
  void* reserve[4];
} TfLiteRegistration;

typedef struct TfLiteContext {
  size_t tensors_size;
  TfLiteStatus (*GetExecutionPlan)(struct TfLiteContext* context, TfLiteIntArray** execution_plan);
  TfLiteTensor* tensors;
  void* impl_;
  TfLiteStatus (*ResizeTensor)(struct TfLiteContext* context, TfLiteTensor* tensor, TfLiteIntArray* new_size);
  void (*ReportError)(struct TfLiteContext* context, const char* format, ...);
  TfLiteStatus (*AddTensors)(struct TfLiteContext* context, int tensors_to_add, int* first_new_tensor_index);
  TfLiteStatus (*GetNodeAndRegistration)(struct TfLiteContext* context, int node_index, TfLiteNode** node,
                                         TfLiteRegistration** registration);
  TfLiteStatus (*ReplaceNodeSubsetsWithDelegateKernels)(struct TfLiteContext* context, TfLiteRegistration registration,
                                                        const TfLiteIntArray* nodes_to_replace,
                                                        struct TfLiteDelegate* delegate);
  int recommended_num_threads;
  void* unused_external_contexts[2];
  bool allow_fp32_relax_to_fp16;
  void* profiler;
  void* unused_allocation[5];
  // The partitions the runtime would make of the nodes; the array stays the context's.
  TfLiteStatus (*PreviewDelegatePartitioning)(struct TfLiteContext* context, const TfLiteIntArray* nodes_to_replace,
                                              TfLiteDelegateParams** partitions, int* count);
  // More functions follow that this delegate does not call.
} TfLiteContext;

typedef struct TfLiteDelegate {
  void* data_;
  TfLiteStatus (*Prepare)(TfLiteContext* context, struct TfLiteDelegate* delegate);
  TfLiteStatus (*CopyFromBufferHandle)(TfLiteContext*, struct TfLiteDelegate*, int32_t, TfLiteTensor*);
  TfLiteStatus (*CopyToBufferHandle)(TfLiteContext*, struct TfLiteDelegate*, int32_t, TfLiteTensor*);
  void (*FreeBufferHandle)(TfLiteContext*, struct TfLiteDelegate*, int32_t*);
  int64_t flags;
  void* opaque_delegate_builder;
  void* reserve[4];
} TfLiteDelegate;

}  // extern "C"

// The offsets relied upon, on every 64-bit platform.
static_assert(offsetof(TfLiteTensor, dims) == 16 && offsetof(TfLiteTensor, params) == 24, "");
static_assert(offsetof(TfLiteTensor, allocation_type) == 32 && offsetof(TfLiteTensor, bytes) == 40, "");
static_assert(offsetof(TfLiteTensor, name) == 56 && offsetof(TfLiteTensor, quantization) == 80, "");
static_assert(sizeof(TfLiteTensor) == 112, "context->tensors is an array of these");
static_assert(offsetof(TfLiteNode, user_data) == 32 && offsetof(TfLiteNode, builtin_data) == 40, "");
static_assert(offsetof(TfLiteRegistration, builtin_code) == 40 && offsetof(TfLiteRegistration, reserve) == 88, "");
static_assert(offsetof(TfLiteContext, ResizeTensor) == 32 && offsetof(TfLiteContext, recommended_num_threads) == 72, "");
static_assert(offsetof(TfLiteContext, PreviewDelegatePartitioning) == 152, "");
static_assert(offsetof(TfLiteDelegate, flags) == 40 && offsetof(TfLiteDelegate, reserve) == 56, "");
static_assert(sizeof(TfLiteConvParams) == 24, "");

#endif  // TFLITE_EQ_DELEGATE_TFLITE_ABI_H_
