// SPDX-License-Identifier: Apache-2.0
// Functions of FMI 3.0 that a library must export and this FMU does not have: variables of other types, event mode, clocks, derivatives,
// model exchange and scheduled execution. Each answers with an error, or with OK where nothing was asked for.

extension FMU {
  static let absent3 = #"""


    /* Variables of types that there are none of. */
    #define FMU_NO_VARIABLES(name, type) \
      FMU_API(fmi3Status, name)( \
          fmi3Instance instance, const fmi3ValueReference references[], size_t count, type values[], \
          size_t value_count) \
      { \
        (void)references; \
        (void)values; \
        (void)value_count; \
        return fmu_none(instance, #name, count); \
      }
    FMU_NO_VARIABLES(fmi3GetFloat32, fmi3Float32)
    FMU_NO_VARIABLES(fmi3SetFloat32, const fmi3Float32)
    FMU_NO_VARIABLES(fmi3GetInt8, fmi3Int8)
    FMU_NO_VARIABLES(fmi3SetInt8, const fmi3Int8)
    FMU_NO_VARIABLES(fmi3GetUInt8, fmi3UInt8)
    FMU_NO_VARIABLES(fmi3SetUInt8, const fmi3UInt8)
    FMU_NO_VARIABLES(fmi3GetInt16, fmi3Int16)
    FMU_NO_VARIABLES(fmi3SetInt16, const fmi3Int16)
    FMU_NO_VARIABLES(fmi3GetUInt16, fmi3UInt16)
    FMU_NO_VARIABLES(fmi3SetUInt16, const fmi3UInt16)
    FMU_NO_VARIABLES(fmi3SetInt32, const fmi3Int32)
    FMU_NO_VARIABLES(fmi3GetUInt32, fmi3UInt32)
    FMU_NO_VARIABLES(fmi3SetUInt32, const fmi3UInt32)
    FMU_NO_VARIABLES(fmi3GetInt64, fmi3Int64)
    FMU_NO_VARIABLES(fmi3SetInt64, const fmi3Int64)
    FMU_NO_VARIABLES(fmi3GetUInt64, fmi3UInt64)
    FMU_NO_VARIABLES(fmi3SetUInt64, const fmi3UInt64)
    FMU_NO_VARIABLES(fmi3GetBoolean, fmi3Boolean)
    FMU_NO_VARIABLES(fmi3SetBoolean, const fmi3Boolean)
    FMU_NO_VARIABLES(fmi3GetString, fmi3String)
    FMU_NO_VARIABLES(fmi3SetString, const fmi3String)

    FMU_API(fmi3Status, fmi3GetBinary)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count, size_t sizes[],
        fmi3Binary values[], size_t value_count)
    {
      (void)references;
      (void)sizes;
      (void)values;
      (void)value_count;
      return fmu_none(instance, "fmi3GetBinary", count);
    }

    FMU_API(fmi3Status, fmi3SetBinary)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count, const size_t sizes[],
        const fmi3Binary values[], size_t value_count)
    {
      (void)references;
      (void)sizes;
      (void)values;
      (void)value_count;
      return fmu_none(instance, "fmi3SetBinary", count);
    }

    /* Clocks: their values, intervals and shifts. */
    #define FMU_NO_CLOCKS(name, type) \
      FMU_API(fmi3Status, name)( \
          fmi3Instance instance, const fmi3ValueReference references[], size_t count, type values[]) \
      { \
        (void)references; \
        (void)values; \
        return fmu_none(instance, #name, count); \
      }
    FMU_NO_CLOCKS(fmi3GetClock, fmi3Clock)
    FMU_NO_CLOCKS(fmi3SetClock, const fmi3Clock)
    FMU_NO_CLOCKS(fmi3GetShiftDecimal, fmi3Float64)
    FMU_NO_CLOCKS(fmi3SetShiftDecimal, const fmi3Float64)
    FMU_NO_CLOCKS(fmi3SetIntervalDecimal, const fmi3Float64)

    #define FMU_NO_FRACTIONS(name, type) \
      FMU_API(fmi3Status, name)( \
          fmi3Instance instance, const fmi3ValueReference references[], size_t count, type counters[], \
          type resolutions[]) \
      { \
        (void)references; \
        (void)counters; \
        (void)resolutions; \
        return fmu_none(instance, #name, count); \
      }
    FMU_NO_FRACTIONS(fmi3GetShiftFraction, fmi3UInt64)
    FMU_NO_FRACTIONS(fmi3SetShiftFraction, const fmi3UInt64)
    FMU_NO_FRACTIONS(fmi3SetIntervalFraction, const fmi3UInt64)

    FMU_API(fmi3Status, fmi3GetIntervalDecimal)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count,
        fmi3Float64 intervals[], fmi3IntervalQualifier qualifiers[])
    {
      (void)references;
      (void)intervals;
      (void)qualifiers;
      return fmu_none(instance, "fmi3GetIntervalDecimal", count);
    }

    FMU_API(fmi3Status, fmi3GetIntervalFraction)(
        fmi3Instance instance, const fmi3ValueReference references[], size_t count, fmi3UInt64 counters[],
        fmi3UInt64 resolutions[], fmi3IntervalQualifier qualifiers[])
    {
      (void)references;
      (void)counters;
      (void)resolutions;
      (void)qualifiers;
      return fmu_none(instance, "fmi3GetIntervalFraction", count);
    }

    /* Modes, and what belongs to model exchange. */
    #define FMU_NO_MODE(name) \
      FMU_API(fmi3Status, name)(fmi3Instance instance) { return fmu_unsupported(instance, #name); }
    FMU_NO_MODE(fmi3EnterEventMode)
    FMU_NO_MODE(fmi3EnterStepMode)
    FMU_NO_MODE(fmi3EnterConfigurationMode)
    FMU_NO_MODE(fmi3ExitConfigurationMode)
    FMU_NO_MODE(fmi3EvaluateDiscreteStates)
    FMU_NO_MODE(fmi3EnterContinuousTimeMode)

    #define FMU_NO_STATES(name, type) \
      FMU_API(fmi3Status, name)(fmi3Instance instance, type values[], size_t count) \
      { \
        (void)values; \
        (void)count; \
        return fmu_unsupported(instance, #name); \
      }
    FMU_NO_STATES(fmi3SetContinuousStates, const fmi3Float64)
    FMU_NO_STATES(fmi3GetContinuousStates, fmi3Float64)
    FMU_NO_STATES(fmi3GetContinuousStateDerivatives, fmi3Float64)
    FMU_NO_STATES(fmi3GetNominalsOfContinuousStates, fmi3Float64)
    FMU_NO_STATES(fmi3GetEventIndicators, fmi3Float64)

    #define FMU_NO_COUNT(name) \
      FMU_API(fmi3Status, name)(fmi3Instance instance, size_t *count) \
      { \
        (void)count; \
        return fmu_unsupported(instance, #name); \
      }
    FMU_NO_COUNT(fmi3GetNumberOfContinuousStates)
    FMU_NO_COUNT(fmi3GetNumberOfEventIndicators)

    FMU_API(fmi3Status, fmi3SetTime)(fmi3Instance instance, fmi3Float64 time)
    {
      (void)time;
      return fmu_unsupported(instance, "fmi3SetTime");
    }

    FMU_API(fmi3Status, fmi3CompletedIntegratorStep)(
        fmi3Instance instance, fmi3Boolean no_earlier_state, fmi3Boolean *enters_event_mode,
        fmi3Boolean *terminates)
    {
      (void)no_earlier_state;
      (void)enters_event_mode;
      (void)terminates;
      return fmu_unsupported(instance, "fmi3CompletedIntegratorStep");
    }

    FMU_API(fmi3Status, fmi3UpdateDiscreteStates)(
        fmi3Instance instance, fmi3Boolean *needs_update, fmi3Boolean *terminates,
        fmi3Boolean *nominals_changed, fmi3Boolean *values_changed, fmi3Boolean *has_next_event,
        fmi3Float64 *next_event_time)
    {
      (void)needs_update;
      (void)terminates;
      (void)nominals_changed;
      (void)values_changed;
      (void)has_next_event;
      (void)next_event_time;
      return fmu_unsupported(instance, "fmi3UpdateDiscreteStates");
    }

    FMU_API(fmi3Status, fmi3GetNumberOfVariableDependencies)(
        fmi3Instance instance, fmi3ValueReference reference, size_t *count)
    {
      (void)reference;
      (void)count;
      return fmu_unsupported(instance, "fmi3GetNumberOfVariableDependencies");
    }

    FMU_API(fmi3Status, fmi3GetVariableDependencies)(
        fmi3Instance instance, fmi3ValueReference dependent, size_t elements_of_dependent[],
        fmi3ValueReference independents[], size_t elements_of_independents[],
        fmi3DependencyKind kinds[], size_t count)
    {
      (void)dependent;
      (void)elements_of_dependent;
      (void)independents;
      (void)elements_of_independents;
      (void)kinds;
      (void)count;
      return fmu_unsupported(instance, "fmi3GetVariableDependencies");
    }

    #define FMU_NO_DERIVATIVE(name) \
      FMU_API(fmi3Status, name)( \
          fmi3Instance instance, const fmi3ValueReference unknowns[], size_t unknown_count, \
          const fmi3ValueReference knowns[], size_t known_count, const fmi3Float64 seed[], \
          size_t seed_count, fmi3Float64 sensitivity[], size_t sensitivity_count) \
      { \
        (void)unknowns; \
        (void)unknown_count; \
        (void)knowns; \
        (void)known_count; \
        (void)seed; \
        (void)seed_count; \
        (void)sensitivity; \
        (void)sensitivity_count; \
        return fmu_unsupported(instance, #name); \
      }
    FMU_NO_DERIVATIVE(fmi3GetDirectionalDerivative)
    FMU_NO_DERIVATIVE(fmi3GetAdjointDerivative)

    FMU_API(fmi3Status, fmi3ActivateModelPartition)(
        fmi3Instance instance, fmi3ValueReference clock, fmi3Float64 time)
    {
      (void)clock;
      (void)time;
      return fmu_unsupported(instance, "fmi3ActivateModelPartition");
    }

    FMU_API(fmi3Instance, fmi3InstantiateModelExchange)(
        fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible, fmi3Boolean logging,
        fmi3InstanceEnvironment environment, fmi3LogMessageCallback logger)
    {
      (void)token;
      (void)resources;
      (void)visible;
      (void)logging;
      fmu_log(
          logger, environment, name,
          "fmi3InstantiateModelExchange: this FMU is only for co-simulation");
      return NULL;
    }

    FMU_API(fmi3Instance, fmi3InstantiateScheduledExecution)(
        fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible, fmi3Boolean logging,
        fmi3InstanceEnvironment environment, fmi3LogMessageCallback logger,
        fmi3ClockUpdateCallback update, fmi3LockPreemptionCallback lock,
        fmi3UnlockPreemptionCallback unlock)
    {
      (void)token;
      (void)resources;
      (void)visible;
      (void)logging;
      (void)update;
      (void)lock;
      (void)unlock;
      fmu_log(
          logger, environment, name,
          "fmi3InstantiateScheduledExecution: this FMU is only for co-simulation");
      return NULL;
    }

    #ifdef __cplusplus
    }
    #endif
    """#
}
