/* SPDX-License-Identifier: Apache-2.0
 * BAGEL from C: a policy that was learnt drives a machine, a model that was learnt is a machine. C99 and C++.
 *
 *   policy.safetensors, measured [C], goal [G]  ->  action [A]
 *   model.safetensors, actions [B, A]           ->  states [B, S] of B particles, one time step later
 *
 * Arrays     are yours, double, row by row: element (b, i) of [B, A] is at b * A + i. Beside each stands how many numbers it
 *            has; another count than the handle's is an error. An output may be the array of an input.
 * Units      are those of the log that a model was learnt from (`bagel_policy_unit`, `bagel_model_unit`); times are seconds.
 * Errors     A function of type int returns BAGEL_OK or why not; `bagel_last_error` has the words. NULL, wrong counts, numbers
 *            that are not finite and damaged files are errors. Nothing is printed and no signal is handled. Particles that would
 *            need more than half of the computer's memory are refused. A pointer that is no handle, or one that was freed, cannot be
 *            told from a handle.
 * Threads    A handle is for one thread at a time; different handles are for different threads at once. Steps of a model run on
 *            all cores. After fork() a child uses no handle and loads none, until it has begun another program.
 * Ownership  What `_load` makes is yours until `_free`. Texts belong to the library: those of a handle until it is freed.
 */
#ifndef BAGEL_H
#define BAGEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call returns: the exit codes of the command `bagel`. */
enum {
  BAGEL_OK = 0,
  BAGEL_FAILED = 1,    /* anything else: no compiler for kernels, no memory */
  BAGEL_BAD_CALL = 64, /* an argument that cannot be meant: NULL, a wrong count, a particle that is not there */
  BAGEL_BAD_DATA = 65  /* a file that is missing, damaged or of another machine; a number that is not finite */
};

/* "0.1.0" */
const char *bagel_version(void);

/* What this thread's last call that failed has to say; "" before. Valid until another call of the thread fails. */
const char *bagel_last_error(void);

/* Lists of channels, each with names and units. */
typedef enum bagel_channels {
  BAGEL_STATES = 0,   /* S: what a policy sees and a model moves, derived rates among them. A policy's end with the disturbances
                         that it sees */
  BAGEL_MEASURED = 1, /* C: columns that the states are read from, each once. Of a policy: 0 unless it was loaded with a model */
  BAGEL_GOALS = 2,    /* G: 0 of a policy that sees no goal, and of models */
  BAGEL_ACTIONS = 3   /* A */
} bagel_channels;

/* ---- Policies --------------------------------------------------------------------------------------------------------------- */

/* A policy during a run: it remembers its last actions, integrals, and what rates are derived from. */
typedef struct bagel_policy bagel_policy;

/* Reads a policy.
 *   path        of policy.safetensors.
 *   model_path  of the model.safetensors beside it, which says what is measured and which rates are derived; NULL for a policy that
 *               is to act on states alone.
 *   policy      gets the handle; NULL after an error. */
int bagel_policy_load(const char *path, const char *model_path, bagel_policy **policy);

/* NULL is no error. */
void bagel_policy_free(bagel_policy *policy);

/* How many channels a list has; 0 of NULL. */
size_t bagel_policy_count(const bagel_policy *policy, bagel_channels channels);

/* Name and unit of a channel; NULL where there is none. The unit is "" where it is not known. */
const char *bagel_policy_name(const bagel_policy *policy, bagel_channels channels, size_t index);
const char *bagel_policy_unit(const bagel_policy *policy, bagel_channels channels, size_t index);

/* Seconds from one action to the next; 0 of NULL. */
double bagel_policy_time_step(const bagel_policy *policy);

/* Limits of the actions, and the resting action: what counts as sent before the first one. Each [A]. */
int bagel_policy_limits(
    const bagel_policy *policy, double *lower, double *upper, double *rest, size_t action_count);

/* Forgets everything: before the first row of a run, and after every standstill. */
int bagel_policy_reset(bagel_policy *policy);

/* The action for a row of measurements, once every time step. Rates are derived as in the log, 0 in a run's first row; angles that
 * turn lose their jumps. It is remembered as sent.
 *   measured  [C]
 *   goal      [G]; NULL where G is 0.
 *   seconds   since the last row: more than a time step after a lost one. Not positive or not finite counts as a time step.
 *   action    [A], within the limits. Where a number is not finite, of the row, the goal or the action, the call returns
 *             BAGEL_BAD_DATA and `action` holds the resting action. Tell `bagel_policy_sent` then what was sent in its place. */
int bagel_policy_act(
    bagel_policy *policy, const double *measured, size_t measured_count, const double *goal, size_t goal_count,
    double seconds, double *action, size_t action_count);

/* The same for states [S] of your own, rates among them. One run has either states or measurements. */
int bagel_policy_act_on_states(
    bagel_policy *policy, const double *states, size_t state_count, const double *goal, size_t goal_count,
    double *action, size_t action_count);

/* What was really sent [A] in place of the last action: an operator's command, a safe action. The next actions go on from there,
 * within the rate limits. Not wanted where the action itself was sent. */
int bagel_policy_sent(bagel_policy *policy, const double *action, size_t action_count);

/* ---- Models ----------------------------------------------------------------------------------------------------------------- */

/* Particles on a model: B machines that are driven step by step. */
typedef struct bagel_model bagel_model;

/* What moves a particle beside the model's mean. */
typedef enum bagel_doubt {
  BAGEL_DOUBT_FUNCTION = 0, /* one of the machines that the logs allow, drawn for an episode and kept */
  BAGEL_DOUBT_STEPS = 1,    /* draws anew at each step */
  BAGEL_DOUBT_NONE = 2      /* nothing */
} bagel_doubt;

/* Reads a model and begins an episode of each particle.
 *   path              of model.safetensors.
 *   particles         B, 1 to 1,000,000.
 *   doubt             a model without functions to draw takes steps (`bagel_model_doubt`).
 *   has_sensor_noise  0 for states without the sensors' noise.
 *   seed              of starts, functions and noise: the same seed gives the same numbers.
 *   device            "host" (clang compiles a kernel on first use, which is kept), "cuda", "interpreter" (slow, compiles nothing);
 *                     NULL for the one that suits the work.
 *   model             gets the handle; NULL after an error. */
int bagel_model_load(
    const char *path, size_t particles, bagel_doubt doubt, int has_sensor_noise, uint64_t seed,
    const char *device, bagel_model **model);

/* NULL is no error. */
void bagel_model_free(bagel_model *model);

/* B; 0 of NULL. */
size_t bagel_model_particles(const bagel_model *model);

/* What moves the particles: what was asked for, or steps. Of NULL: BAGEL_DOUBT_NONE. */
bagel_doubt bagel_model_doubt(const bagel_model *model);

/* As of a policy. */
size_t bagel_model_count(const bagel_model *model, bagel_channels channels);
const char *bagel_model_name(const bagel_model *model, bagel_channels channels, size_t index);
const char *bagel_model_unit(const bagel_model *model, bagel_channels channels, size_t index);
double bagel_model_time_step(const bagel_model *model);

/* Begins episodes.
 *   which   [K] numbers of particles, 0 to B - 1; NULL with a count of 0 for all, K = B. An array of none begins none: the seed alone
 *           counts.
 *   seed    of everything that is drawn from now on, of all particles; NULL goes on with other episodes.
 *   start   [S] where these episodes begin; NULL with a count of 0 for logged states, drawn.
 *   states  [K, S] as sensors have them. */
int bagel_model_reset(
    bagel_model *model, const size_t *which, size_t which_count, const uint64_t *seed, const double *start,
    size_t start_count, double *states, size_t state_count);

/* One time step of all particles.
 *   actions  [B, A]
 *   states   [B, S] as sensors have them: with noise, if any; rates are the model's. A controller derives its own rates from what
 *            is measured (`bagel_policy_act`). A particle that diverges stays where it was. */
int bagel_model_step(
    bagel_model *model, const double *actions, size_t action_count, double *states, size_t state_count);

/* The true states [B, S], without noise. */
int bagel_model_states(const bagel_model *model, double *states, size_t state_count);

#ifdef __cplusplus
}
#endif

#endif
