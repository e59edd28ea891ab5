/* The C interface of nezha-onnx. Made by cbindgen from capi/src/border.rs; a test compares. */

#ifndef NEZHA_H
#define NEZHA_H

#include <stddef.h>
#include <stdint.h>

// The function succeeded.
#define NEZHA_OK 0

// The function failed; `nezha_last_error` says why.
#define NEZHA_ERROR 1

// Load a model to classify texts.
#define NEZHA_CLASSIFY 1

// Load a model to find the entities in texts, such as names.
#define NEZHA_TOKENS 2

// Load a model to answer questions about texts.
#define NEZHA_ANSWER 3

// Load a model to compute vectors of texts.
#define NEZHA_EMBED 4

// A loaded model; threads may share it.
typedef struct NezhaModel NezhaModel;

// A text in UTF-8, which doesn't end with a zero.
typedef struct NezhaText {
  // Its first byte; may be null if the length is 0.
  const uint8_t *bytes;
  // Its length in bytes.
  size_t length;
} NezhaText;

// How a model is started. A null pointer stands for the defaults.
typedef struct NezhaOptions {
  // The engine, or a list that is tried in order, such as `openvino,ort,tract`; empty for
  // `auto`.
  struct NezhaText engines;
  // Threads that share a run; 0 for the engine's default.
  size_t threads;
} NezhaOptions;

// A label of a text, an entity in it, or a span of it that answers a question.
typedef struct NezhaFinding {
  // The label; empty for an answer.
  struct NezhaText label;
  // The words in the text; empty for a label of the whole text.
  struct NezhaText text;
  // The probability, from 0 to 1; for a regression, the model's number.
  double score;
  // The index of the first character of the words in the text, in Unicode scalar values.
  size_t start;
  // The index behind the last character of the words.
  size_t end;
} NezhaFinding;

// The results of a call; valid until `nezha_findings_free`.
typedef struct NezhaFindings {
  // The first result.
  const struct NezhaFinding *items;
  // The number of results.
  size_t length;
} NezhaFindings;

// The vector of a text; valid until `nezha_vector_free`.
typedef struct NezhaVector {
  // The first number.
  const float *items;
  // How many numbers there are: the model's hidden size.
  size_t length;
} NezhaVector;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Why the last call in this thread failed; valid until the thread's next call.
struct NezhaText nezha_last_error(void);

// Loads the model at a path: a folder that `nezha export` wrote, an `.onnx` file in it, or a file
// that `nezha pack` wrote. `question` is `NEZHA_CLASSIFY`, `NEZHA_TOKENS`, `NEZHA_ANSWER` or
// `NEZHA_EMBED`.
//
// # Safety
// The path and the options must be valid to read, and `model` must be valid to write.
int32_t nezha_load(struct NezhaText path,
                   uint32_t question,
                   const struct NezhaOptions *options,
                   struct NezhaModel **model);

// Loads a packed model from memory. The bytes are not copied: they must not change before
// `nezha_model_free`.
//
// # Safety
// As for `nezha_load`; the bytes must be valid to read until the model is freed.
int32_t nezha_load_bytes(const uint8_t *bytes,
                         size_t length,
                         uint32_t question,
                         const struct NezhaOptions *options,
                         struct NezhaModel **model);

// The labels of a text, the most probable first.
//
// # Safety
// The model must be loaded and not freed, the text must be valid to read, and the last argument
// must be valid to write.
int32_t nezha_classify(const struct NezhaModel *model,
                       struct NezhaText text,
                       struct NezhaFindings **findings);

// The entities of a text, in its order.
//
// # Safety
// As for `nezha_classify`.
int32_t nezha_tokens(const struct NezhaModel *model,
                     struct NezhaText text,
                     struct NezhaFindings **findings);

// The spans of a context that answer a question, the most probable first.
//
// # Safety
// As for `nezha_classify`.
int32_t nezha_answer(const struct NezhaModel *model,
                     struct NezhaText question,
                     struct NezhaText context,
                     struct NezhaFindings **findings);

// The vector of a text: the mean over its tokens, scaled to length 1.
//
// # Safety
// As for `nezha_classify`.
int32_t nezha_embed(const struct NezhaModel *model,
                    struct NezhaText text,
                    struct NezhaVector **vector);

// Frees a model; null is allowed.
//
// # Safety
// The model must come from `nezha_load` or `nezha_load_bytes`, and must not be used any more.
void nezha_model_free(struct NezhaModel *model);

// Frees findings; null is allowed.
//
// # Safety
// The findings must come from this library, and must not be used any more.
void nezha_findings_free(struct NezhaFindings *findings);

// Frees a vector; null is allowed.
//
// # Safety
// The vector must come from this library, and must not be used any more.
void nezha_vector_free(struct NezhaVector *vector);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NEZHA_H */
