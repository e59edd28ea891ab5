/* The C interface of nezha-onnx. Made by cbindgen from capi/src/border.rs; a test compares. */

#ifndef NEZHA_H
#define NEZHA_H

#include <stddef.h>
#include <stdint.h>

// The function did what it should.
#define NEZHA_OK 0

// It did not: `nezha_last_error` says why.
#define NEZHA_ERROR 1

// Load a model to classify texts.
#define NEZHA_CLASSIFY 1

// Load a model to find the names in texts.
#define NEZHA_TOKENS 2

// Load a model to answer questions about texts.
#define NEZHA_ANSWER 3

// Load a model to make vectors of texts.
#define NEZHA_EMBED 4

// A model that was loaded; threads may share it.
typedef struct NezhaModel NezhaModel;

// A text in UTF-8: no zero ends it.
typedef struct NezhaText {
  // Its first byte; may be null where there are none.
  const uint8_t *bytes;
  // How many there are.
  size_t length;
} NezhaText;

// How a model is started. A null pointer in its place stands for the defaults.
typedef struct NezhaOptions {
  // The engine, or a list that is tried in order: `openvino,ort,tract`; empty for `auto`.
  struct NezhaText engines;
  // Threads that share a run; 0 leaves that to the engine.
  size_t threads;
} NezhaOptions;

// A label of a text, a name in it, or a stretch of it that answers a question.
typedef struct NezhaFinding {
  // The label; empty for an answer.
  struct NezhaText label;
  // The words; empty for a label of the whole text.
  struct NezhaText text;
  // From 0 to 1.
  double score;
  // The first character of the words in the text, in Unicode scalar values.
  size_t start;
  // The character behind the last one.
  size_t end;
} NezhaFinding;

// What was found, until `nezha_findings_free`.
typedef struct NezhaFindings {
  // The first one.
  const struct NezhaFinding *items;
  // How many there are.
  size_t length;
} NezhaFindings;

// A text as numbers, until `nezha_vector_free`.
typedef struct NezhaVector {
  // The first one.
  const float *items;
  // How many there are: the model's hidden size.
  size_t length;
} NezhaVector;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Why the last call of this thread failed; valid until its next call.
struct NezhaText nezha_last_error(void);

// Loads the model at a path: a folder that `nezha export` wrote, or a file that `nezha pack` made of one.
//
// # Safety
// Texts and options are valid to read, and the model can be written.
int32_t nezha_load(struct NezhaText path,
                   uint32_t question,
                   const struct NezhaOptions *options,
                   struct NezhaModel **model);

// Loads a packed model from memory. The bytes are not copied: they stay as they are until
// `nezha_model_free`.
//
// # Safety
// As for `nezha_load`; the bytes are valid to read for as long as the model lives.
int32_t nezha_load_bytes(const uint8_t *bytes,
                         size_t length,
                         uint32_t question,
                         const struct NezhaOptions *options,
                         struct NezhaModel **model);

// The labels of a text, the likeliest first.
//
// # Safety
// The model is one that was loaded and not freed, the text is valid to read, and the findings can be
// written.
int32_t nezha_classify(const struct NezhaModel *model,
                       struct NezhaText text,
                       struct NezhaFindings **findings);

// The names in a text, in its order.
//
// # Safety
// As for `nezha_classify`.
int32_t nezha_tokens(const struct NezhaModel *model,
                     struct NezhaText text,
                     struct NezhaFindings **findings);

// The stretches of a context that answer a question, the likeliest first.
//
// # Safety
// As for `nezha_classify`.
int32_t nezha_answer(const struct NezhaModel *model,
                     struct NezhaText question,
                     struct NezhaText context,
                     struct NezhaFindings **findings);

// A text as a vector of length one: the mean over its tokens.
//
// # Safety
// As for `nezha_classify`.
int32_t nezha_embed(const struct NezhaModel *model,
                    struct NezhaText text,
                    struct NezhaVector **vector);

// Frees a model; null is none.
//
// # Safety
// It came from `nezha_load` or `nezha_load_bytes`, and nothing uses it any more.
void nezha_model_free(struct NezhaModel *model);

// Frees findings; null is none.
//
// # Safety
// They came from this library, and nothing uses them any more.
void nezha_findings_free(struct NezhaFindings *findings);

// Frees a vector; null is none.
//
// # Safety
// It came from this library, and nothing uses it any more.
void nezha_vector_free(struct NezhaVector *vector);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NEZHA_H */
