/* SPDX-License-Identifier: Apache-2.0
 * Every function of bagel.h, called from C99. In: a policy, its model, a damaged file, a number of threads. Out: numbers as hexadecimal
 * lines, which a test holds against those of the Swift library; exit code 1 where an error is not told as the header says.
 *
 *   usage: calls POLICY MODEL DAMAGED
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bagel.h"

enum { ROWS = 8, PARTICLES = 20, STEPS = 5, MOST = 64 };

static int failures = 0;

#define WANT(condition) \
  do { \
    if (!(condition)) { \
      failures++; \
      fprintf(stderr, "line %d: %s; last error: %s\n", __LINE__, #condition, bagel_last_error()); \
    } \
  } while (0)

/* That a call fails with this code and tells of this word. */
#define WANT_ERROR(call, code, word) \
  do { \
    const int found = (call); \
    if (found != (code) || strstr(bagel_last_error(), (word)) == NULL) { \
      failures++; \
      fprintf(stderr, "line %d: code %d, '%s'\n", __LINE__, found, bagel_last_error()); \
    } \
  } while (0)

static void print(const char *name, const double *values, size_t count) {
  size_t i;
  printf("%s", name);
  for (i = 0; i < count; i++) printf(" %a", values[i]);
  printf("\n");
}

static void print_channels(
    const char *kind, const char *(*name)(const void *, bagel_channels, size_t),
    const char *(*unit)(const void *, bagel_channels, size_t), const void *handle, const size_t counts[4]) {
  int channels;
  size_t i;
  for (channels = BAGEL_STATES; channels <= BAGEL_ACTIONS; channels++) {
    printf("%s %d", kind, channels);
    for (i = 0; i < counts[channels]; i++)
      printf(" %s[%s]", name(handle, (bagel_channels)channels, i), unit(handle, (bagel_channels)channels, i));
    printf("\n");
    WANT(name(handle, (bagel_channels)channels, counts[channels]) == NULL);
    WANT(unit(handle, (bagel_channels)channels, (size_t)-1) == NULL);
  }
}

static const char *policy_name(const void *handle, bagel_channels channels, size_t index) {
  return bagel_policy_name((const bagel_policy *)handle, channels, index);
}
static const char *policy_unit(const void *handle, bagel_channels channels, size_t index) {
  return bagel_policy_unit((const bagel_policy *)handle, channels, index);
}
static const char *model_name(const void *handle, bagel_channels channels, size_t index) {
  return bagel_model_name((const bagel_model *)handle, channels, index);
}
static const char *model_unit(const void *handle, bagel_channels channels, size_t index) {
  return bagel_model_unit((const bagel_model *)handle, channels, index);
}

/* Rows of one measured column: a lost sample before row 5, another action sent after row 2. Numbers are exact in binary. */
static void drive(bagel_policy *policy, const char *name) {
  const double goal[1] = {0.25};
  double action[1], other[1] = {-0.5};
  int k;
  WANT(bagel_policy_reset(policy) == BAGEL_OK);
  for (k = 0; k < ROWS; k++) {
    const double measured[1] = {0.125 * k * k - 0.5};
    WANT(bagel_policy_act(policy, measured, 1, goal, 1, k == 5 ? 0.125 : 0.0, action, 1) == BAGEL_OK);
    print(name, action, 1);
    if (k == 2) WANT(bagel_policy_sent(policy, other, 1) == BAGEL_OK);
  }
}

static void policies(const char *path, const char *model_path, const char *damaged) {
  bagel_policy *policy = NULL, *plain = NULL;
  const double nan_row[1] = {NAN}, infinite[2] = {0, INFINITY}, row[1] = {0.5}, states[2] = {0.25, -0.5}, goal[1] = {0.25};
  double lower[1], upper[1], rest[1], action[2] = {7, 7};
  size_t counts[4];
  int channels;

  WANT(bagel_policy_load(path, model_path, &policy) == BAGEL_OK);
  WANT(bagel_policy_load(path, NULL, &plain) == BAGEL_OK);
  for (channels = 0; channels < 4; channels++) counts[channels] = bagel_policy_count(policy, (bagel_channels)channels);
  print_channels("policy", policy_name, policy_unit, policy, counts);
  lower[0] = bagel_policy_time_step(policy);
  print("time_step", lower, 1);
  WANT(bagel_policy_limits(policy, lower, upper, rest, 1) == BAGEL_OK);
  print("lower", lower, 1);
  print("upper", upper, 1);
  print("rest", rest, 1);

  drive(policy, "measured");
  drive(policy, "again");
  WANT(bagel_policy_act_on_states(plain, states, 2, goal, 1, action, 1) == BAGEL_OK);
  print("states", action, 1);

  /* A row that is none, and what comes after it: its seconds count. */
  WANT(bagel_policy_reset(policy) == BAGEL_OK);
  WANT(bagel_policy_act(policy, row, 1, goal, 1, NAN, action, 1) == BAGEL_OK);
  WANT_ERROR(bagel_policy_act(policy, nan_row, 1, goal, 1, 0, action, 1), BAGEL_BAD_DATA, "'measured'");
  print("instead", action, 1);
  WANT(bagel_policy_sent(policy, action, 1) == BAGEL_OK);
  WANT(bagel_policy_act(policy, goal, 1, goal, 1, 0, action, 1) == BAGEL_OK);
  print("after", action, 1);

  action[0] = 7;
  WANT_ERROR(bagel_policy_act(plain, row, 1, goal, 1, 0, action, 1), BAGEL_BAD_CALL, "without a model");
  WANT_ERROR(bagel_policy_act(policy, NULL, 1, goal, 1, 0, action, 1), BAGEL_BAD_CALL, "'measured' is NULL");
  WANT_ERROR(bagel_policy_act(policy, row, 2, goal, 1, 0, action, 1), BAGEL_BAD_CALL, "2 numbers, not 1");
  WANT_ERROR(bagel_policy_act(policy, row, (size_t)-1, goal, 1, 0, action, 1), BAGEL_BAD_CALL, "'measured'");
  WANT_ERROR(bagel_policy_act(policy, row, 1, NULL, 0, 0, action, 1), BAGEL_BAD_CALL, "'goal'");
  WANT_ERROR(bagel_policy_act(policy, row, 1, goal, 1, 0, NULL, 1), BAGEL_BAD_CALL, "'action' is NULL");
  WANT_ERROR(bagel_policy_act(policy, row, 1, goal, 1, 0, action, 2), BAGEL_BAD_CALL, "'action'");
  WANT_ERROR(bagel_policy_act(NULL, row, 1, goal, 1, 0, action, 1), BAGEL_BAD_CALL, "the policy is NULL");
  WANT_ERROR(bagel_policy_act_on_states(policy, states, 1, goal, 1, action, 1), BAGEL_BAD_CALL, "'states'");
  WANT(action[0] == 7 && action[1] == 7);
  WANT_ERROR(bagel_policy_act_on_states(policy, infinite, 2, goal, 1, action, 1), BAGEL_BAD_DATA, "number 1 of 'states'");
  WANT(action[0] == rest[0] && action[1] == 7);
  WANT_ERROR(bagel_policy_sent(policy, nan_row, 1), BAGEL_BAD_DATA, "'action'");
  WANT_ERROR(bagel_policy_sent(policy, NULL, 1), BAGEL_BAD_CALL, "'action'");
  WANT_ERROR(bagel_policy_sent(NULL, row, 1), BAGEL_BAD_CALL, "NULL");
  WANT_ERROR(bagel_policy_reset(NULL), BAGEL_BAD_CALL, "NULL");
  WANT_ERROR(bagel_policy_limits(policy, lower, NULL, rest, 1), BAGEL_BAD_CALL, "'upper'");
  WANT_ERROR(bagel_policy_limits(policy, lower, upper, rest, 3), BAGEL_BAD_CALL, "'lower'");
  WANT_ERROR(bagel_policy_limits(NULL, lower, upper, rest, 1), BAGEL_BAD_CALL, "NULL");
  WANT(bagel_policy_count(NULL, BAGEL_STATES) == 0 && bagel_policy_time_step(NULL) == 0);
  WANT(bagel_policy_name(NULL, BAGEL_STATES, 0) == NULL && bagel_policy_unit(NULL, BAGEL_STATES, 0) == NULL);
  WANT(bagel_policy_count(policy, (bagel_channels)77) == 0);
  WANT(bagel_policy_count(plain, BAGEL_MEASURED) == 0);
  bagel_policy_free(policy);
  bagel_policy_free(plain);
  bagel_policy_free(NULL);

  policy = plain;
  WANT_ERROR(bagel_policy_load("nowhere.safetensors", NULL, &policy), BAGEL_BAD_DATA, "nowhere.safetensors");
  WANT(policy == NULL);
  WANT_ERROR(bagel_policy_load(damaged, NULL, &policy), BAGEL_BAD_DATA, "damaged");
  WANT_ERROR(bagel_policy_load(model_path, NULL, &policy), BAGEL_BAD_DATA, "model");
  WANT_ERROR(bagel_policy_load(path, path, &policy), BAGEL_BAD_DATA, "policy");
  WANT_ERROR(bagel_policy_load(NULL, NULL, &policy), BAGEL_BAD_CALL, "'path'");
  WANT_ERROR(bagel_policy_load(path, NULL, NULL), BAGEL_BAD_CALL, "'policy'");
}

static void fill(double *actions, int step) {
  int b;
  for (b = 0; b < PARTICLES; b++) actions[b] = 0.0625 * b - 0.5 + 0.125 * step;
}

/* Particles of a seed, some of them begun again in the middle; [steps][particles x states] into `seen`, if it is there. */
static int simulate(const char *path, bagel_doubt doubt, const char *name, double *seen) {
  const size_t some[2] = {3, 7}, count = PARTICLES * 2;
  const double start[2] = {0.25, 0.0};
  const uint64_t seed = 11;
  double actions[PARTICLES], states[PARTICLES * 2];
  bagel_model *model = NULL;
  int k, code = bagel_model_load(path, PARTICLES, doubt, 1, 5, "interpreter", &model);
  if (code != BAGEL_OK) return code;
  code |= bagel_model_reset(model, NULL, 0, &seed, NULL, 0, states, count);
  if (name) print(name, states, count);
  for (k = 0; k < STEPS; k++) {
    fill(actions, k);
    if (k == 3) {
      code |= bagel_model_reset(model, some, 2, NULL, start, 2, states, 4);
      if (name) print(name, states, 4);
    }
    code |= bagel_model_step(model, actions, PARTICLES, states, count);
    if (name) print(name, states, count);
    if (seen) memcpy(seen + (size_t)k * count, states, sizeof states);
  }
  code |= bagel_model_states(model, states, count);
  if (name) print(name, states, count);
  if (name) printf("doubt %d\n", (int)bagel_model_doubt(model));
  bagel_model_free(model);
  return code;
}

static void models(const char *path, const char *policy_path, const char *damaged) {
  static const char *const names[3] = {"function", "steps", "none"};
  const size_t beyond[1] = {PARTICLES}, one[1] = {1};
  double actions[PARTICLES], states[MOST], start[2] = {0.0, NAN};
  size_t counts[4];
  bagel_model *model = NULL;
  int i;

  for (i = 0; i < 3; i++) WANT(simulate(path, (bagel_doubt)i, names[i], NULL) == BAGEL_OK);

  WANT(bagel_model_load(path, PARTICLES, BAGEL_DOUBT_NONE, 0, 1, "interpreter", &model) == BAGEL_OK);
  for (i = 0; i < 4; i++) counts[i] = bagel_model_count(model, (bagel_channels)i);
  print_channels("model", model_name, model_unit, model, counts);
  WANT(bagel_model_particles(model) == PARTICLES && bagel_model_time_step(model) == 0.05);

  fill(actions, 0);
  WANT_ERROR(bagel_model_step(model, NULL, PARTICLES, states, 2 * PARTICLES), BAGEL_BAD_CALL, "'actions' is NULL");
  WANT_ERROR(bagel_model_step(model, actions, 1, states, 2 * PARTICLES), BAGEL_BAD_CALL, "1 numbers, not 20");
  WANT_ERROR(bagel_model_step(model, actions, PARTICLES, NULL, 2 * PARTICLES), BAGEL_BAD_CALL, "'states' is NULL");
  WANT_ERROR(bagel_model_step(model, actions, PARTICLES, states, PARTICLES), BAGEL_BAD_CALL, "'states'");
  WANT_ERROR(bagel_model_step(NULL, actions, PARTICLES, states, 2 * PARTICLES), BAGEL_BAD_CALL, "the model is NULL");
  actions[4] = NAN;
  WANT_ERROR(bagel_model_step(model, actions, PARTICLES, states, 2 * PARTICLES), BAGEL_BAD_DATA, "number 4 of 'actions'");
  actions[4] = 1e300;
  WANT_ERROR(bagel_model_step(model, actions, PARTICLES, states, 2 * PARTICLES), BAGEL_BAD_DATA, "beyond");
  WANT_ERROR(bagel_model_reset(model, beyond, 1, NULL, NULL, 0, states, 2), BAGEL_BAD_CALL, "particle 20");
  WANT_ERROR(bagel_model_reset(model, NULL, 1, NULL, NULL, 0, states, 2), BAGEL_BAD_CALL, "'which'");
  WANT(bagel_model_reset(model, one, 0, NULL, NULL, 0, states, 0) == BAGEL_OK);
  WANT_ERROR(bagel_model_reset(model, one, 1, NULL, start, 2, states, 2), BAGEL_BAD_DATA, "number 1 of 'start'");
  WANT_ERROR(bagel_model_reset(model, one, 1, NULL, NULL, 2, states, 2), BAGEL_BAD_CALL, "'start' is NULL");
  WANT_ERROR(bagel_model_reset(model, one, 1, NULL, start, 1, states, 2), BAGEL_BAD_CALL, "'start'");
  WANT_ERROR(bagel_model_reset(model, one, 1, NULL, NULL, 0, states, 3), BAGEL_BAD_CALL, "'states'");
  WANT_ERROR(bagel_model_reset(NULL, NULL, 0, NULL, NULL, 0, states, 2), BAGEL_BAD_CALL, "NULL");
  WANT_ERROR(bagel_model_states(model, NULL, 2 * PARTICLES), BAGEL_BAD_CALL, "'states'");
  WANT_ERROR(bagel_model_states(NULL, states, 2), BAGEL_BAD_CALL, "NULL");
  WANT(bagel_model_count(NULL, BAGEL_STATES) == 0 && bagel_model_particles(NULL) == 0);
  WANT(bagel_model_time_step(NULL) == 0 && bagel_model_doubt(NULL) == BAGEL_DOUBT_NONE);
  WANT(bagel_model_name(NULL, BAGEL_STATES, 0) == NULL && bagel_model_unit(NULL, BAGEL_STATES, 0) == NULL);
  bagel_model_free(model);
  bagel_model_free(NULL);

  WANT_ERROR(bagel_model_load(path, 0, BAGEL_DOUBT_NONE, 0, 1, NULL, &model), BAGEL_BAD_CALL, "'particles' is 0");
  WANT(model == NULL);
  WANT_ERROR(bagel_model_load(path, 1000001, BAGEL_DOUBT_NONE, 0, 1, NULL, &model), BAGEL_BAD_CALL, "1,000,000");
  WANT_ERROR(bagel_model_load(path, 1, (bagel_doubt)9, 0, 1, NULL, &model), BAGEL_BAD_CALL, "'doubt'");
  WANT_ERROR(bagel_model_load(path, 1, BAGEL_DOUBT_NONE, 0, 1, "abacus", &model), BAGEL_BAD_CALL, "'abacus'");
  WANT_ERROR(bagel_model_load(NULL, 1, BAGEL_DOUBT_NONE, 0, 1, NULL, &model), BAGEL_BAD_CALL, "'path'");
  WANT_ERROR(bagel_model_load(path, 1, BAGEL_DOUBT_NONE, 0, 1, NULL, NULL), BAGEL_BAD_CALL, "'model'");
  WANT_ERROR(bagel_model_load("nowhere.safetensors", 1, BAGEL_DOUBT_NONE, 0, 1, NULL, &model), BAGEL_BAD_DATA, "nowhere");
  WANT_ERROR(bagel_model_load(damaged, 1, BAGEL_DOUBT_NONE, 0, 1, NULL, &model), BAGEL_BAD_DATA, "damaged");
  WANT_ERROR(bagel_model_load(policy_path, 1, BAGEL_DOUBT_NONE, 0, 1, NULL, &model), BAGEL_BAD_DATA, "policy");
}

struct work {
  const char *path;
  int code, is_told;
  double seen[STEPS * PARTICLES * 2];
};

static void *in_thread(void *argument) {
  struct work *work = (struct work *)argument;
  bagel_model *none = NULL;
  /* No thread hears of another's errors. */
  work->is_told = bagel_last_error()[0] == 0;
  work->code = simulate(work->path, BAGEL_DOUBT_FUNCTION, NULL, work->seen);
  work->is_told &= bagel_model_load(work->path, 0, BAGEL_DOUBT_NONE, 0, 1, NULL, &none) == BAGEL_BAD_CALL &&
                   strstr(bagel_last_error(), "'particles'") != NULL;
  return NULL;
}

static void threads(const char *path) {
  static struct work works[3];
  pthread_t threads[3];
  int i;
  for (i = 0; i < 3; i++) {
    works[i].path = path;
    WANT(pthread_create(&threads[i], NULL, in_thread, &works[i]) == 0);
  }
  for (i = 0; i < 3; i++) WANT(pthread_join(threads[i], NULL) == 0);
  for (i = 0; i < 3; i++) {
    WANT(works[i].code == BAGEL_OK && works[i].is_told);
    WANT(memcmp(works[0].seen, works[i].seen, sizeof works[0].seen) == 0);
  }
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: calls POLICY MODEL DAMAGED\n");
    return 64;
  }
  WANT(bagel_last_error()[0] == 0);
  printf("version %s\n", bagel_version());
  policies(arguments[1], arguments[2], arguments[3]);
  models(arguments[2], arguments[1], arguments[3]);
  threads(arguments[2]);
  if (failures > 0) fprintf(stderr, "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
