// SPDX-License-Identifier: Apache-2.0
// Types and functions of FMI 2.0 in C, after the standard's text (Functional Mock-up Interface 2.0.5, sections 2.1 and 4.2): all that a
// library for co-simulation exports. What this FMU does not have answers with an error.

extension FMU {
  /// Types of the standard, and those that both versions use.
  static let types2 = #"""
    typedef void *fmi2Component;
    typedef void *fmi2ComponentEnvironment;
    typedef void *fmi2FMUstate;
    typedef unsigned int fmi2ValueReference;
    typedef double fmi2Real;
    typedef int fmi2Integer;
    typedef int fmi2Boolean;
    typedef char fmi2Char;
    typedef const fmi2Char *fmi2String;
    typedef char fmi2Byte;
    typedef enum { fmi2OK, fmi2Warning, fmi2Discard, fmi2Error, fmi2Fatal, fmi2Pending } fmi2Status;
    typedef enum { fmi2ModelExchange, fmi2CoSimulation } fmi2Type;
    typedef enum {
      fmi2DoStepStatus, fmi2PendingStatus, fmi2LastSuccessfulTime, fmi2Terminated
    } fmi2StatusKind;
    typedef void (*fmi2CallbackLogger)(
        fmi2ComponentEnvironment environment, fmi2String name, fmi2Status status, fmi2String category,
        fmi2String message, ...);
    typedef void *(*fmi2CallbackAllocateMemory)(size_t count, size_t size);
    typedef void (*fmi2CallbackFreeMemory)(void *memory);
    typedef void (*fmi2StepFinished)(fmi2ComponentEnvironment environment, fmi2Status status);
    typedef struct {
      fmi2CallbackLogger logger;
      fmi2CallbackAllocateMemory allocateMemory;
      fmi2CallbackFreeMemory freeMemory;
      fmi2StepFinished stepFinished;
      fmi2ComponentEnvironment componentEnvironment;
    } fmi2CallbackFunctions;

    typedef fmi2Status fmu_status;
    typedef fmi2ValueReference fmu_reference;
    typedef fmi2Integer fmu_integer;
    typedef fmi2CallbackLogger fmu_logger;
    #define FMU_OK fmi2OK
    #define FMU_ERROR fmi2Error

    static void fmu_log(fmu_logger logger, void *environment, const char *name, const char *text)
    {
      if (logger != NULL) { logger(environment, name, fmi2Error, "logStatusError", text); }
    }
    """#

  /// How functions are exported: with the prefix that a static library wants (FMI2_FUNCTION_PREFIX), or from a shared one.
  static func exporting(_ major: Int) -> String {
    """

    #if defined(FMI\(major)_FUNCTION_PREFIX) && !defined(FMI\(major)_OVERRIDE_FUNCTION_PREFIX)
    #define FMU_PREFIX FMI\(major)_FUNCTION_PREFIX
    #elif defined(FMI\(major)_ACTUAL_FUNCTION_PREFIX)
    #define FMU_PREFIX FMI\(major)_ACTUAL_FUNCTION_PREFIX
    #endif
    #ifdef FMU_PREFIX
    #define FMU_JOINED(prefix, name) prefix##name
    #define FMU_WITH(prefix, name) FMU_JOINED(prefix, name)
    #define FMU_FUNCTION(name) FMU_WITH(FMU_PREFIX, name)
    #else
    #define FMU_FUNCTION(name) name
    #endif
    #ifndef FMI\(major)_Export
    #if defined(_WIN32) || defined(__CYGWIN__)
    #define FMI\(major)_Export __declspec(dllexport)
    #elif defined(__GNUC__)
    #define FMI\(major)_Export __attribute__((visibility("default")))
    #else
    #define FMI\(major)_Export
    #endif
    #endif

    #ifdef __cplusplus
    extern "C" {
    #endif
    """
  }

  static let functions2 =
    exporting(2) + #"""


      #define FMU_API(type, name) FMI2_Export type FMU_FUNCTION(name)

      FMU_API(const char *, fmi2GetTypesPlatform)(void) { return "default"; }
      FMU_API(const char *, fmi2GetVersion)(void) { return "2.0"; }

      FMU_API(fmi2Status, fmi2SetDebugLogging)(
          fmi2Component c, fmi2Boolean on, size_t count, const fmi2String categories[])
      {
        (void)on; /* errors are always reported, and there is nothing else to report */
        return fmu_debug_logging(c, "fmi2SetDebugLogging", count, categories);
      }

      FMU_API(fmi2Component, fmi2Instantiate)(
          fmi2String name, fmi2Type type, fmi2String token, fmi2String resources,
          const fmi2CallbackFunctions *functions, fmi2Boolean visible, fmi2Boolean logging)
      {
        (void)resources;
        (void)visible;
        (void)logging;
        if (functions == NULL) { return NULL; }
        if (type != fmi2CoSimulation) {
          fmu_log(
              functions->logger, functions->componentEnvironment, (name == NULL) ? "" : name,
              "fmi2Instantiate: this FMU is only for co-simulation");
          return NULL;
        }
        return fmu_create(name, token, functions->logger, functions->componentEnvironment);
      }

      FMU_API(void, fmi2FreeInstance)(fmi2Component c) { fmu_free(c); }

      FMU_API(fmi2Status, fmi2SetupExperiment)(
          fmi2Component c, fmi2Boolean has_tolerance, fmi2Real tolerance, fmi2Real start,
          fmi2Boolean has_stop, fmi2Real stop)
      {
        fmi2Status status;
        (void)has_tolerance;
        (void)tolerance;
        status = fmu_enter_initialization(c, "fmi2SetupExperiment", start, has_stop, stop);
        if (status == fmi2OK) { ((fmu_instance *)c)->memory.mode = FMU_INSTANTIATED; }
        return status;
      }

      FMU_API(fmi2Status, fmi2EnterInitializationMode)(fmi2Component c)
      {
        const fmu_memory *memory;
        if (c == NULL) { return fmi2Error; }
        memory = &((fmu_instance *)c)->memory;
        return fmu_enter_initialization(
            c, "fmi2EnterInitializationMode", memory->start_time, memory->stop_is_known,
            memory->stop_time);
      }

      FMU_API(fmi2Status, fmi2ExitInitializationMode)(fmi2Component c)
      {
        return fmu_exit_initialization(c, "fmi2ExitInitializationMode");
      }

      FMU_API(fmi2Status, fmi2Terminate)(fmi2Component c) { return fmu_terminate(c, "fmi2Terminate"); }
      FMU_API(fmi2Status, fmi2Reset)(fmi2Component c) { return fmu_reset(c); }

      FMU_API(fmi2Status, fmi2GetReal)(
          fmi2Component c, const fmi2ValueReference references[], size_t count, fmi2Real values[])
      {
        return fmu_get_reals(c, "fmi2GetReal", references, count, values, count);
      }

      FMU_API(fmi2Status, fmi2SetReal)(
          fmi2Component c, const fmi2ValueReference references[], size_t count, const fmi2Real values[])
      {
        return fmu_set_reals(c, "fmi2SetReal", references, count, values, count);
      }

      FMU_API(fmi2Status, fmi2GetInteger)(
          fmi2Component c, const fmi2ValueReference references[], size_t count, fmi2Integer values[])
      {
        return fmu_get_integers(c, "fmi2GetInteger", references, count, values, count);
      }

      /* A function of variables of which there are none, or none that can be set. */
      #define FMU_NO_VARIABLES(name, type) \
        FMU_API(fmi2Status, name)( \
            fmi2Component c, const fmi2ValueReference references[], size_t count, type values[]) \
        { \
          (void)references; \
          (void)values; \
          return fmu_none(c, #name, count); \
        }
      FMU_NO_VARIABLES(fmi2SetInteger, const fmi2Integer)
      FMU_NO_VARIABLES(fmi2GetBoolean, fmi2Boolean)
      FMU_NO_VARIABLES(fmi2SetBoolean, const fmi2Boolean)
      FMU_NO_VARIABLES(fmi2GetString, fmi2String)
      FMU_NO_VARIABLES(fmi2SetString, const fmi2String)

      FMU_API(fmi2Status, fmi2GetFMUstate)(fmi2Component c, fmi2FMUstate *state)
      {
        return fmu_get_state(c, "fmi2GetFMUstate", state);
      }

      FMU_API(fmi2Status, fmi2SetFMUstate)(fmi2Component c, fmi2FMUstate state)
      {
        return fmu_set_state(c, "fmi2SetFMUstate", state);
      }

      FMU_API(fmi2Status, fmi2FreeFMUstate)(fmi2Component c, fmi2FMUstate *state)
      {
        return fmu_free_state(c, state);
      }

      FMU_API(fmi2Status, fmi2SerializedFMUstateSize)(
          fmi2Component c, fmi2FMUstate state, size_t *size)
      {
        return fmu_state_size(c, "fmi2SerializedFMUstateSize", state, size);
      }

      FMU_API(fmi2Status, fmi2SerializeFMUstate)(
          fmi2Component c, fmi2FMUstate state, fmi2Byte bytes[], size_t size)
      {
        return fmu_serialize(c, "fmi2SerializeFMUstate", state, bytes, size);
      }

      FMU_API(fmi2Status, fmi2DeSerializeFMUstate)(
          fmi2Component c, const fmi2Byte bytes[], size_t size, fmi2FMUstate *state)
      {
        return fmu_deserialize(c, "fmi2DeSerializeFMUstate", bytes, size, state);
      }

      FMU_API(fmi2Status, fmi2GetDirectionalDerivative)(
          fmi2Component c, const fmi2ValueReference unknowns[], size_t unknown_count,
          const fmi2ValueReference knowns[], size_t known_count, const fmi2Real seed[],
          fmi2Real sensitivity[])
      {
        (void)unknowns;
        (void)unknown_count;
        (void)knowns;
        (void)known_count;
        (void)seed;
        (void)sensitivity;
        return fmu_unsupported(c, "fmi2GetDirectionalDerivative");
      }

      FMU_API(fmi2Status, fmi2SetRealInputDerivatives)(
          fmi2Component c, const fmi2ValueReference references[], size_t count,
          const fmi2Integer orders[], const fmi2Real values[])
      {
        (void)references;
        (void)orders;
        (void)values;
        return fmu_none(c, "fmi2SetRealInputDerivatives", count);
      }

      FMU_API(fmi2Status, fmi2GetRealOutputDerivatives)(
          fmi2Component c, const fmi2ValueReference references[], size_t count,
          const fmi2Integer orders[], fmi2Real values[])
      {
        (void)references;
        (void)orders;
        (void)values;
        return fmu_none(c, "fmi2GetRealOutputDerivatives", count);
      }

      FMU_API(fmi2Status, fmi2DoStep)(
          fmi2Component c, fmi2Real from, fmi2Real length, fmi2Boolean no_earlier_state)
      {
        (void)no_earlier_state;
        return fmu_do_step(c, "fmi2DoStep", from, length);
      }

      FMU_API(fmi2Status, fmi2CancelStep)(fmi2Component c)
      {
        return fmu_unsupported(c, "fmi2CancelStep");
      }

      FMU_API(fmi2Status, fmi2GetRealStatus)(fmi2Component c, const fmi2StatusKind kind, fmi2Real *value)
      {
        if (c == NULL) { return fmi2Error; }
        if ((kind != fmi2LastSuccessfulTime) || (value == NULL)) { return fmi2Discard; }
        *value = ((fmu_instance *)c)->memory.time;
        return fmi2OK;
      }

      FMU_API(fmi2Status, fmi2GetBooleanStatus)(
          fmi2Component c, const fmi2StatusKind kind, fmi2Boolean *value)
      {
        if (c == NULL) { return fmi2Error; }
        if ((kind != fmi2Terminated) || (value == NULL)) { return fmi2Discard; }
        *value = 0;
        return fmi2OK;
      }

      /* No step is ever pending. */
      #define FMU_NO_STATUS(name, type) \
        FMU_API(fmi2Status, name)(fmi2Component c, const fmi2StatusKind kind, type *value) \
        { \
          (void)kind; \
          (void)value; \
          return (c == NULL) ? fmi2Error : fmi2Discard; \
        }
      FMU_NO_STATUS(fmi2GetStatus, fmi2Status)
      FMU_NO_STATUS(fmi2GetIntegerStatus, fmi2Integer)
      FMU_NO_STATUS(fmi2GetStringStatus, fmi2String)

      #ifdef __cplusplus
      }
      #endif
      """#
}
