// SPDX-License-Identifier: Apache-2.0
// The time of an FMU, in C: modes, and communication steps of any length over sample times of its own.
//
//   for each k with t_0 + k T < t + h:   arrive (of k - 1); tick (k)
//   arrive (of k - 1) if t_0 + k T <= t + h as well
//
// Sample times are compared with a tolerance, as `CausalSignals` has it for calls that are nearly on time: a simulator's t is a sum of
// steps. In steps shorter than that the tolerance is half a step, so that each sample time lies in one step. A step that fails leaves
// everything as it was.

import MachineLogs

extension FMU {
  static let stepping = #"""

    static fmu_status fmu_enter_initialization(
        void *instance, const char *function, double start, int stop_is_known, double stop)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if (self->memory.mode != FMU_INSTANTIATED) {
        return fmu_fail(self, "%s: only after instantiation or a reset", function);
      }
      if (!isfinite(start) || ((stop_is_known != 0) && !(stop >= start))) {
        return fmu_fail(self, "%s: the start time must be finite, and the stop time not earlier", function);
      }
      self->memory.start_time = start;
      self->memory.stop_is_known = stop_is_known;
      self->memory.stop_time = stop;
      self->memory.time = start;
      self->memory.mode = FMU_INITIALIZATION;
      return FMU_OK;
    }

    static fmu_status fmu_exit_initialization(void *instance, const char *function)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if (self->memory.mode != FMU_INITIALIZATION) {
        return fmu_fail(self, "%s: only in initialization mode", function);
      }
      fmu_begin(&self->memory);
      self->memory.mode = FMU_STEPPING;
      return FMU_OK;
    }

    static fmu_status fmu_terminate(void *instance, const char *function)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if (self->memory.mode != FMU_STEPPING) {
        return fmu_fail(self, "%s: only after initialization", function);
      }
      self->memory.mode = FMU_TERMINATED;
      return FMU_OK;
    }

    /* In one communication step: 11 days at 100 Hz. */
    #define FMU_MOST_TICKS 1e8

    /* s */
    static double fmu_sample_time(const fmu_memory *self)
    {
      return self->start_time + (self->ticks * FMU_TIME_STEP);
    }

    static fmu_status fmu_do_step(void *instance, const char *function, double from, double length)
    {
      static const double tolerance = \#(CausalSignals.timeTolerance) * FMU_TIME_STEP;
      fmu_instance *self = (fmu_instance *)instance;
      fmu_memory *memory;
      fmu_memory before;
      double end;
      double slack;
      if (self == NULL) { return FMU_ERROR; }
      memory = &self->memory;
      if (memory->mode != FMU_STEPPING) {
        return fmu_fail(self, "%s: only after initialization", function);
      }
      if (!isfinite(from) || !isfinite(length) || !(length > 0.0)) {
        return fmu_fail(
            self, "%s: the time must be finite and the length positive, not %g s and %g s", function,
            from, length);
      }
      if (fabs(from - memory->time) > tolerance) {
        return fmu_fail(
            self, "%s: the step begins at %.15g s, but the last one ended at %.15g s", function, from,
            memory->time);
      }
      end = from + length;
      if ((memory->stop_is_known != 0) && (end > (memory->stop_time + tolerance))) {
        return fmu_fail(
            self, "%s: the step ends at %.15g s, after the stop time of %.15g s", function, end,
            memory->stop_time);
      }
      /* Larger whole numbers a double cannot count; and one step is not to last for hours. */
      if ((((end - memory->start_time) / FMU_TIME_STEP) > 9007199254740992.0)
          || ((length / FMU_TIME_STEP) > FMU_MOST_TICKS)) {
        return fmu_fail(
            self, "%s: a step of %g s up to %g s has too many time steps of %g s: use shorter steps", function,
            length, end, FMU_TIME_STEP);
      }
      before = *memory;
      slack = (tolerance < (0.5 * length)) ? tolerance : (0.5 * length);
      while (fmu_sample_time(memory) < (end - slack)) {
        if (memory->is_waiting != 0) {
          fmu_arrive(memory);
          memory->is_waiting = 0;
        }
        if (fmu_tick(memory) == 0) {
          const double failed = fmu_sample_time(memory);
          *memory = before;
          return fmu_fail(
              self, "%s: the results from %.15g s on are not finite: the inputs are far outside the data",
              function, failed);
        }
        memory->ticks += 1.0;
        memory->is_waiting = 1;
      }
      if ((memory->is_waiting != 0) && (fmu_sample_time(memory) <= (end + slack))) {
        fmu_arrive(memory);
        memory->is_waiting = 0;
      }
      memory->time = end;
      return FMU_OK;
    }
    """#
}
