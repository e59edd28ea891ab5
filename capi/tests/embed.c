/* A program that embeds models: `cargo xtask capi` builds it against the library and runs it. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nezha.h"

static NezhaText text(const char *bytes) {
  NezhaText text = {(const uint8_t *)bytes, strlen(bytes)};
  return text;
}

static int is(NezhaText found, const char *expected) {
  return found.length == strlen(expected) && memcmp(found.bytes, expected, found.length) == 0;
}

static void fail(int line, const char *what) {
  NezhaText error = nezha_last_error();
  fprintf(stderr, "line %d: %s; last error: %.*s\n", line, what, (int)error.length,
          (const char *)error.bytes);
  exit(1);
}

#define EXPECT(condition) \
  if (!(condition)) fail(__LINE__, #condition)

static const NezhaOptions OPTIONS = {{(const uint8_t *)"tract", 5}, 1};

static char *path_of(const char *folder, const char *name) {
  size_t room = strlen(folder) + strlen(name) + 2;
  char *path = malloc(room);
  snprintf(path, room, "%s/%s", folder, name);
  return path;
}

static NezhaModel *load(const char *folder, const char *name, uint32_t question) {
  char *path = path_of(folder, name);
  NezhaModel *model = NULL;
  EXPECT(nezha_load(text(path), question, &OPTIONS, &model) == NEZHA_OK);
  free(path);
  return model;
}

static uint8_t *read_all(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  EXPECT(file != NULL);
  fseek(file, 0, SEEK_END);
  *length = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(*length);
  EXPECT(fread(bytes, 1, *length, file) == *length);
  fclose(file);
  return bytes;
}

static void classifies(const NezhaModel *model) {
  NezhaFindings *labels = NULL;
  EXPECT(nezha_classify(model, text("房间很干净，服务热情。"), &labels) == NEZHA_OK);
  EXPECT(labels->length == 2);
  EXPECT(is(labels->items[0].label, "positive"));
  EXPECT(labels->items[0].text.length == 0);
  EXPECT(labels->items[0].score > 0.5 && labels->items[0].score <= 1.0);
  EXPECT(labels->items[0].score > labels->items[1].score);
  nezha_findings_free(labels);
}

static void from_bytes(const char *folder) {
  char *path = path_of(folder, "classify.nezha");
  size_t length = 0;
  uint8_t *bytes = read_all(path, &length);
  NezhaModel *model = NULL;
  EXPECT(nezha_load_bytes(bytes, length, NEZHA_CLASSIFY, &OPTIONS, &model) == NEZHA_OK);
  classifies(model);
  nezha_model_free(model);
  bytes[length / 2] ^= 1;
  EXPECT(nezha_load_bytes(bytes, length, NEZHA_CLASSIFY, &OPTIONS, &model) == NEZHA_ERROR);
  EXPECT(model == NULL);
  EXPECT(nezha_last_error().length > 0);
  EXPECT(nezha_load_bytes(NULL, 5, NEZHA_CLASSIFY, &OPTIONS, &model) == NEZHA_ERROR);
  free(bytes);
  free(path);
}

static void refuses(const NezhaModel *classifier) {
  NezhaModel *model = NULL;
  NezhaFindings *findings = NULL;
  NezhaText broken = {(const uint8_t *)"\xff", 1};
  NezhaText nothing = {NULL, 0};
  EXPECT(nezha_load(text("/no/such/folder"), NEZHA_CLASSIFY, NULL, &model) == NEZHA_ERROR);
  EXPECT(nezha_load(text("."), 9, NULL, &model) == NEZHA_ERROR);
  EXPECT(nezha_load(text("."), NEZHA_CLASSIFY, NULL, NULL) == NEZHA_ERROR);
  EXPECT(nezha_classify(NULL, text("好"), &findings) == NEZHA_ERROR);
  EXPECT(nezha_classify(classifier, broken, &findings) == NEZHA_ERROR);
  EXPECT(nezha_tokens(classifier, text("好"), &findings) == NEZHA_ERROR);
  EXPECT(is(nezha_last_error(), "the model was not loaded for tokens"));
  EXPECT(findings == NULL);
  EXPECT(nezha_classify(classifier, nothing, &findings) == NEZHA_OK);
  nezha_findings_free(findings);
  nezha_findings_free(NULL);
  nezha_vector_free(NULL);
  nezha_model_free(NULL);
}

int main(int count, char **arguments) {
  EXPECT(count == 2);
  const char *folder = arguments[1];

  NezhaModel *model = load(folder, "classify", NEZHA_CLASSIFY);
  classifies(model);
  refuses(model);
  nezha_model_free(model);
  from_bytes(folder);

  model = load(folder, "tokens.nezha", NEZHA_TOKENS);
  NezhaFindings *names = NULL;
  EXPECT(nezha_tokens(model, text("国务院总理李鹏今天来了"), &names) == NEZHA_OK);
  EXPECT(names->length == 2);
  EXPECT(is(names->items[0].label, "ORG") && is(names->items[1].label, "PER"));
  EXPECT(names->items[1].start == 5 && names->items[1].end == 7);
  nezha_findings_free(names);
  nezha_model_free(model);

  model = load(folder, "answer", NEZHA_ANSWER);
  NezhaFindings *answers = NULL;
  NezhaText context = text("这家酒店在北京，房间很大，服务很好。");
  EXPECT(nezha_answer(model, text("酒店在哪里？"), context, &answers) == NEZHA_OK);
  EXPECT(answers->length == 1 && answers->items[0].end > answers->items[0].start);
  nezha_findings_free(answers);
  nezha_model_free(model);

  model = load(folder, "embed.nezha", NEZHA_EMBED);
  NezhaVector *vector = NULL;
  EXPECT(nezha_embed(model, text("房间很干净"), &vector) == NEZHA_OK);
  double squares = 0;
  for (size_t index = 0; index < vector->length; index++) {
    squares += (double)vector->items[index] * (double)vector->items[index];
  }
  EXPECT(vector->length > 0 && fabs(squares - 1.0) < 1e-4);
  nezha_vector_free(vector);
  nezha_model_free(model);

  puts("the C interface loads, answers, refuses and frees");
  return 0;
}
