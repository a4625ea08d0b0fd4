// SPDX-License-Identifier: Apache-2.0
// A cart of FMI 2.0, for co-simulation. In: force (N). Out: position (m). Variables are in the order of modelDescription.xml:
//   mass dv/dt = force - friction v,  by Euler steps of 5 ms; |position| > rail ends the run.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmi2Functions.h"

enum { FORCE, POSITION, SPEED, MASS, FRICTION, RAIL, COUNT };
static const double start[COUNT] = {0, 0, 0, 1, 0.8, 5};

typedef struct {
  double x[COUNT];
  int is_over;
} Cart;

fmi2Component fmi2Instantiate(fmi2String name, fmi2Type type, fmi2String guid, fmi2String resources,
                              const fmi2CallbackFunctions *functions, fmi2Boolean visible, fmi2Boolean logging) {
  (void)name, (void)resources, (void)functions, (void)visible, (void)logging;
  if (type != fmi2CoSimulation || strcmp(guid, "bagel-cart-1") != 0) return NULL;
  Cart *cart = calloc(1, sizeof *cart);
  if (cart != NULL) memcpy(cart->x, start, sizeof start);
  return cart;
}

void fmi2FreeInstance(fmi2Component c) { free(c); }

fmi2Status fmi2Reset(fmi2Component c) {
  Cart *cart = c;
  memcpy(cart->x, start, sizeof start);
  cart->is_over = 0;
  return fmi2OK;
}

fmi2Status fmi2GetReal(fmi2Component c, const fmi2ValueReference v[], size_t n, fmi2Real value[]) {
  for (size_t i = 0; i < n; i++) {
    if (v[i] >= COUNT) return fmi2Error;
    value[i] = ((Cart *)c)->x[v[i]];
  }
  return fmi2OK;
}

fmi2Status fmi2SetReal(fmi2Component c, const fmi2ValueReference v[], size_t n, const fmi2Real value[]) {
  for (size_t i = 0; i < n; i++) {
    if (v[i] >= COUNT) return fmi2Error;
    ((Cart *)c)->x[v[i]] = value[i];
  }
  return fmi2OK;
}

fmi2Status fmi2DoStep(fmi2Component c, fmi2Real time, fmi2Real length, fmi2Boolean no_state_before) {
  (void)time, (void)no_state_before;
  Cart *cart = c;
  double *x = cart->x;
  int count = (int)ceil(length / 0.005 - 1e-9);
  for (int k = 0; k < count; k++) {
    x[SPEED] += length / count * (x[FORCE] - x[FRICTION] * x[SPEED]) / x[MASS];
    x[POSITION] += length / count * x[SPEED];
  }
  cart->is_over = fabs(x[POSITION]) > x[RAIL];
  return cart->is_over ? fmi2Discard : fmi2OK;
}

fmi2Status fmi2GetBooleanStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Boolean *value) {
  if (kind != fmi2Terminated) return fmi2Discard;
  *value = ((Cart *)c)->is_over;
  return fmi2OK;
}

// What every FMU has, and this one does not need.
const char *fmi2GetTypesPlatform(void) { return fmi2TypesPlatform; }
const char *fmi2GetVersion(void) { return fmi2Version; }
#define NOTHING(name, ...) fmi2Status name(__VA_ARGS__) { return fmi2OK; }
#define REFUSED(name, ...) fmi2Status name(__VA_ARGS__) { return fmi2Error; }
#define C fmi2Component c
#define V const fmi2ValueReference v[], size_t n
NOTHING(fmi2SetupExperiment, C, fmi2Boolean a, fmi2Real b, fmi2Real d, fmi2Boolean e, fmi2Real f)
NOTHING(fmi2SetDebugLogging, C, fmi2Boolean on, size_t count, const fmi2String categories[])
NOTHING(fmi2EnterInitializationMode, C)
NOTHING(fmi2ExitInitializationMode, C)
NOTHING(fmi2Terminate, C)
REFUSED(fmi2GetInteger, C, V, fmi2Integer value[])
REFUSED(fmi2GetBoolean, C, V, fmi2Boolean value[])
REFUSED(fmi2GetString, C, V, fmi2String value[])
REFUSED(fmi2SetInteger, C, V, const fmi2Integer value[])
REFUSED(fmi2SetBoolean, C, V, const fmi2Boolean value[])
REFUSED(fmi2SetString, C, V, const fmi2String value[])
REFUSED(fmi2GetFMUstate, C, fmi2FMUstate *state)
REFUSED(fmi2SetFMUstate, C, fmi2FMUstate state)
REFUSED(fmi2FreeFMUstate, C, fmi2FMUstate *state)
REFUSED(fmi2SerializedFMUstateSize, C, fmi2FMUstate state, size_t *size)
REFUSED(fmi2SerializeFMUstate, C, fmi2FMUstate state, fmi2Byte bytes[], size_t size)
REFUSED(fmi2DeSerializeFMUstate, C, const fmi2Byte bytes[], size_t size, fmi2FMUstate *state)
REFUSED(fmi2GetDirectionalDerivative, C, const fmi2ValueReference u[], size_t m, V, const fmi2Real d[], fmi2Real value[])
REFUSED(fmi2SetRealInputDerivatives, C, V, const fmi2Integer order[], const fmi2Real value[])
REFUSED(fmi2GetRealOutputDerivatives, C, V, const fmi2Integer order[], fmi2Real value[])
REFUSED(fmi2CancelStep, C)
REFUSED(fmi2GetStatus, C, const fmi2StatusKind kind, fmi2Status *value)
REFUSED(fmi2GetRealStatus, C, const fmi2StatusKind kind, fmi2Real *value)
REFUSED(fmi2GetIntegerStatus, C, const fmi2StatusKind kind, fmi2Integer *value)
REFUSED(fmi2GetStringStatus, C, const fmi2StatusKind kind, fmi2String *value)
