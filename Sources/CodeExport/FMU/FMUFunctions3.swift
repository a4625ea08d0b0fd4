// SPDX-License-Identifier: Apache-2.0
// Types of FMI 3.0 in C, and the functions that this FMU has, after the standard's text (Functional Mock-up
// Interface 3.0.2, sections 2.2, 2.3 and 4.2). What it does not have: FMUAbsent3.swift.

extension FMU {
  /// Types of the standard, and those that both versions use.
  static let types3 = #"""
    typedef void *fmi3Instance;
    typedef void *fmi3InstanceEnvironment;
    typedef void *fmi3FMUState;
    typedef uint32_t fmi3ValueReference;
    typedef float fmi3Float32;
    typedef double fmi3Float64;
    typedef int8_t fmi3Int8;
    typedef uint8_t fmi3UInt8;
    typedef int16_t fmi3Int16;
    typedef uint16_t fmi3UInt16;
    typedef int32_t fmi3Int32;
    typedef uint32_t fmi3UInt32;
    typedef int64_t fmi3Int64;
    typedef uint64_t fmi3UInt64;
    typedef bool fmi3Boolean;
    typedef char fmi3Char;
    typedef const fmi3Char *fmi3String;
    typedef uint8_t fmi3Byte;
    typedef const fmi3Byte *fmi3Binary;
    typedef bool fmi3Clock;
    typedef enum { fmi3OK, fmi3Warning, fmi3Discard, fmi3Error, fmi3Fatal } fmi3Status;
    typedef enum {
      fmi3Independent, fmi3Constant, fmi3Fixed, fmi3Tunable, fmi3Discrete, fmi3Dependent
    } fmi3DependencyKind;
    typedef enum {
      fmi3IntervalNotYetKnown, fmi3IntervalUnchanged, fmi3IntervalChanged
    } fmi3IntervalQualifier;
    typedef void (*fmi3LogMessageCallback)(
        fmi3InstanceEnvironment environment, fmi3Status status, fmi3String category, fmi3String message);
    typedef void (*fmi3ClockUpdateCallback)(fmi3InstanceEnvironment environment);
    typedef void (*fmi3IntermediateUpdateCallback)(
        fmi3InstanceEnvironment environment, fmi3Float64 time, fmi3Boolean can_set, fmi3Boolean can_get,
        fmi3Boolean is_step_finished, fmi3Boolean can_return_early, fmi3Boolean *wants_early_return,
        fmi3Float64 *early_return_time);
    typedef void (*fmi3LockPreemptionCallback)(void);
    typedef void (*fmi3UnlockPreemptionCallback)(void);

    typedef fmi3Status fmu_status;
    typedef fmi3ValueReference fmu_reference;
    typedef fmi3Int32 fmu_integer;
    typedef fmi3LogMessageCallback fmu_logger;
    #define FMU_OK fmi3OK
    #define FMU_ERROR fmi3Error

    static void fmu_log(fmu_logger logger, void *environment, const char *name, const char *text)
    {
      (void)name;
      if (logger != NULL) { logger(environment, fmi3Error, "logStatusError", text); }
    }
    """#

  static let functions3 = exporting(3) + present3 + absent3

  private static let present3 = #"""


    #define FMU_API(type, name) FMI3_Export type FMU_FUNCTION(name)

    FMU_API(const char *, fmi3GetVersion)(void) { return "3.0"; }

    FMU_API(fmi3Status, fmi3SetDebugLogging)(
        fmi3Instance instance, fmi3Boolean on, size_t count, const fmi3String categories[])
    {
      (void)on; /* errors are always reported, and there is nothing else to report */
      return fmu_debug_logging(instance, "fmi3SetDebugLogging", count, categories);
    }

    FMU_API(fmi3Instance, fmi3InstantiateCoSimulation)(
        fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible, fmi3Boolean logging,
        fmi3Boolean event_mode, fmi3Boolean early_return, const fmi3ValueReference intermediate[],
        size_t intermediate_count, fmi3InstanceEnvironment environment, fmi3LogMessageCallback logger,
        fmi3IntermediateUpdateCallback update)
    {
      (void)resources;
      (void)visible;
      (void)logging;
      (void)early_return;
      (void)intermediate;
      (void)update;
      if (event_mode || (intermediate_count > 0u)) {
        fmu_log(
            logger, environment, name,
            "fmi3InstantiateCoSimulation: this FMU has no event mode and no intermediate variables");
        return NULL;
      }
      return fmu_create(name, token, logger, environment);
    }

    FMU_API(void, fmi3FreeInstance)(fmi3Instance instance) { fmu_free(instance); }

    FMU_API(fmi3Status, fmi3EnterInitializationMode)(
        fmi3Instance instance, fmi3Boolean has_tolerance, fmi3Float64 tolerance, fmi3Float64 start,
        fmi3Boolean has_stop, fmi3Float64 stop)
    {
      (void)has_tolerance;
      (void)tolerance;
      return fmu_enter_initialization(
          instance, "fmi3EnterInitializationMode", start, has_stop ? 1 : 0, stop);
    }

    FMU_API(fmi3Status, fmi3ExitInitializationMode)(fmi3Instance instance)
    {
      return fmu_exit_initialization(instance, "fmi3ExitInitializationMode");
    }

    FMU_API(fmi3Status, fmi3Terminate)(fmi3Instance instance)
    {
      return fmu_terminate(instance, "fmi3Terminate");
    }

    FMU_API(fmi3Status, fmi3Reset)(fmi3Instance instance) { return fmu_reset(instance); }

    FMU_API(fmi3Status, fmi3GetFloat64)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count, fmi3Float64 values[],
        size_t value_count)
    {
      return fmu_get_reals(instance, "fmi3GetFloat64", references, count, values, value_count);
    }

    FMU_API(fmi3Status, fmi3SetFloat64)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count,
        const fmi3Float64 values[], size_t value_count)
    {
      return fmu_set_reals(instance, "fmi3SetFloat64", references, count, values, value_count);
    }

    FMU_API(fmi3Status, fmi3GetInt32)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count, fmi3Int32 values[],
        size_t value_count)
    {
      return fmu_get_integers(instance, "fmi3GetInt32", references, count, values, value_count);
    }

    FMU_API(fmi3Status, fmi3GetFMUState)(fmi3Instance instance, fmi3FMUState *state)
    {
      return fmu_get_state(instance, "fmi3GetFMUState", state);
    }

    FMU_API(fmi3Status, fmi3SetFMUState)(fmi3Instance instance, fmi3FMUState state)
    {
      return fmu_set_state(instance, "fmi3SetFMUState", state);
    }

    FMU_API(fmi3Status, fmi3FreeFMUState)(fmi3Instance instance, fmi3FMUState *state)
    {
      return fmu_free_state(instance, state);
    }

    FMU_API(fmi3Status, fmi3SerializedFMUStateSize)(
        fmi3Instance instance, fmi3FMUState state, size_t *size)
    {
      return fmu_state_size(instance, "fmi3SerializedFMUStateSize", state, size);
    }

    FMU_API(fmi3Status, fmi3SerializeFMUState)(
        fmi3Instance instance, fmi3FMUState state, fmi3Byte bytes[], size_t size)
    {
      return fmu_serialize(instance, "fmi3SerializeFMUState", state, bytes, size);
    }

    FMU_API(fmi3Status, fmi3DeserializeFMUState)(
        fmi3Instance instance, const fmi3Byte bytes[], size_t size, fmi3FMUState *state)
    {
      return fmu_deserialize(instance, "fmi3DeserializeFMUState", bytes, size, state);
    }

    FMU_API(fmi3Status, fmi3DoStep)(
        fmi3Instance instance, fmi3Float64 from, fmi3Float64 length, fmi3Boolean no_earlier_state,
        fmi3Boolean *has_event, fmi3Boolean *terminates, fmi3Boolean *early_return,
        fmi3Float64 *last_time)
    {
      fmu_instance *self = (fmu_instance *)instance;
      fmi3Status status;
      (void)no_earlier_state;
      if (self == NULL) { return fmi3Error; }
      if ((has_event == NULL) || (terminates == NULL) || (early_return == NULL) || (last_time == NULL)) {
        return fmu_fail(self, "fmi3DoStep: a null pointer");
      }
      status = fmu_do_step(instance, "fmi3DoStep", from, length);
      *has_event = false;
      *terminates = false;
      *early_return = false;
      *last_time = self->memory.time;
      return status;
    }

    FMU_API(fmi3Status, fmi3GetOutputDerivatives)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count,
        const fmi3Int32 orders[], fmi3Float64 values[], size_t value_count)
    {
      (void)references;
      (void)orders;
      (void)values;
      (void)value_count;
      return fmu_none(instance, "fmi3GetOutputDerivatives", count);
    }
    """#
}
