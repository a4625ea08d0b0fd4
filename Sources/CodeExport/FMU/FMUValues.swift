// SPDX-License-Identifier: Apache-2.0
// How instances of both versions of FMI give, take and keep their values, in C (FMUInstance has what stands before it).

extension FMU {
  /// Values, and the state as a whole.
  static let values = #"""

    /* The place of a variable among `count` from a reference on; -1 where it is none of them. */
    static int fmu_place(fmu_reference reference, int first, int count)
    {
      const fmu_reference start = (fmu_reference)first;
      return ((reference >= start) && ((reference - start) < (fmu_reference)count))
          ? (int)(reference - start) : -1;
    }

    /* What is wrong with a list of values; NULL if nothing is. */
    static const char *fmu_wrong(
        const void *references, size_t count, const void *values, size_t value_count)
    {
      if ((count > 0u) && ((references == NULL) || (values == NULL))) { return "a null pointer"; }
      return (count == value_count) ? NULL : "the numbers of references and of values differ";
    }

    static fmu_status fmu_get_reals(
        void *instance, const char *function, const fmu_reference *references, size_t count,
        double *values, size_t value_count)
    {
      fmu_instance *self = (fmu_instance *)instance;
      const char *wrong = fmu_wrong(references, count, values, value_count);
      if (self == NULL) { return FMU_ERROR; }
      if (wrong != NULL) { return fmu_fail(self, "%s: %s", function, wrong); }
      /* Before the start time outputs follow the parameters. */
      if (self->memory.mode <= FMU_INITIALIZATION) { fmu_begin(&self->memory); }
      for (size_t i = 0u; i < count; ++i) {
        const int place = fmu_place(references[i], 1, FMU_REALS);
        if (place >= 0) {
          values[i] = self->memory.real[place];
        } else if ((FMU_HAS_TIME != 0) && (references[i] == 0u)) {
          values[i] = self->memory.time;
        } else {
          return fmu_fail(
              self, "%s: no variable of this type has the value reference %lu", function,
              (unsigned long)references[i]);
        }
      }
      return FMU_OK;
    }

    static fmu_status fmu_get_integers(
        void *instance, const char *function, const fmu_reference *references, size_t count,
        fmu_integer *values, size_t value_count)
    {
      fmu_instance *self = (fmu_instance *)instance;
      const char *wrong = fmu_wrong(references, count, values, value_count);
      if (self == NULL) { return FMU_ERROR; }
      if (wrong != NULL) { return fmu_fail(self, "%s: %s", function, wrong); }
      for (size_t i = 0u; i < count; ++i) {
        const int place = fmu_place(references[i], FMU_REALS + 1, FMU_INTEGERS);
        if (place < 0) {
          return fmu_fail(
              self, "%s: no variable of this type has the value reference %lu", function,
              (unsigned long)references[i]);
        }
        values[i] = self->memory.integer[place];
      }
      return FMU_OK;
    }

    /* Sets all or none. */
    static fmu_status fmu_set_reals(
        void *instance, const char *function, const fmu_reference *references, size_t count,
        const double *values, size_t value_count)
    {
      fmu_instance *self = (fmu_instance *)instance;
      const char *wrong = fmu_wrong(references, count, values, value_count);
      if (self == NULL) { return FMU_ERROR; }
      if (wrong != NULL) { return fmu_fail(self, "%s: %s", function, wrong); }
      if (self->memory.mode == FMU_TERMINATED) {
        return fmu_fail(self, "%s: not after the simulation has ended", function);
      }
      for (size_t i = 0u; i < count; ++i) {
        const int place = fmu_place(references[i], 1, FMU_REALS);
        if (place < 0) {
          return fmu_fail(
              self, "%s: no variable of this type that can be set has the value reference %lu",
              function, (unsigned long)references[i]);
        }
        if (fmu_causality[place] == FMU_OUTPUT) {
          return fmu_fail(self, "%s: '%s' is an output: it cannot be set", function, fmu_name[place]);
        }
        if ((fmu_causality[place] == FMU_PARAMETER) && (self->memory.mode > FMU_INITIALIZATION)) {
          return fmu_fail(
              self, "%s: '%s' is fixed: set it before the initialization ends", function,
              fmu_name[place]);
        }
        if (!isfinite(values[i])) {
          return fmu_fail(
              self, "%s: the value for '%s' is not finite (NaN or infinite)", function,
              fmu_name[place]);
        }
      }
      for (size_t i = 0u; i < count; ++i) {
        self->memory.real[fmu_place(references[i], 1, FMU_REALS)] = values[i];
      }
      return FMU_OK;
    }

    /* A copy of all that changes, into one that was given out before where there is one. */
    static fmu_status fmu_get_state(void *instance, const char *function, void **state)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if (state == NULL) { return fmu_fail(self, "%s: a null pointer", function); }
      if (*state == NULL) { *state = calloc(1u, sizeof self->memory); }
      if (*state == NULL) { return fmu_fail(self, "%s: no memory", function); }
      memcpy(*state, &self->memory, sizeof self->memory);
      return FMU_OK;
    }

    static fmu_status fmu_set_state(void *instance, const char *function, const void *state)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if (state == NULL) { return fmu_fail(self, "%s: a null pointer", function); }
      memcpy(&self->memory, state, sizeof self->memory);
      return FMU_OK;
    }

    static fmu_status fmu_free_state(void *instance, void **state)
    {
      if (instance == NULL) { return FMU_ERROR; }
      if (state != NULL) {
        free(*state);
        *state = NULL;
      }
      return FMU_OK;
    }

    /* As bytes a state is the token of the code that wrote it, its memory on this kind of machine, and a checksum of both. */
    enum { FMU_STATE_SIZE = sizeof fmu_token + sizeof(fmu_memory) };

    /* FNV-1a (Fowler, Noll, Vo), 32 bits. */
    static void fmu_checksum(const void *bytes, unsigned char checksum[4])
    {
      unsigned long hash = 2166136261ul;
      for (size_t i = 0u; i < (size_t)FMU_STATE_SIZE; ++i) {
        hash = ((hash ^ ((const unsigned char *)bytes)[i]) * 16777619ul) & 0xFFFFFFFFul;
      }
      for (int i = 0; i < 4; ++i) { checksum[i] = (unsigned char)((hash >> (8 * i)) & 0xFFul); }
    }

    static fmu_status fmu_state_size(
        void *instance, const char *function, const void *state, size_t *size)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if ((state == NULL) || (size == NULL)) { return fmu_fail(self, "%s: a null pointer", function); }
      *size = (size_t)FMU_STATE_SIZE + 4u;
      return FMU_OK;
    }

    static fmu_status fmu_serialize(
        void *instance, const char *function, const void *state, void *bytes, size_t size)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if ((state == NULL) || (bytes == NULL)) { return fmu_fail(self, "%s: a null pointer", function); }
      if (size < ((size_t)FMU_STATE_SIZE + 4u)) {
        return fmu_fail(self, "%s: the buffer is too small for a state", function);
      }
      memcpy(bytes, fmu_token, sizeof fmu_token);
      memcpy((char *)bytes + sizeof fmu_token, state, sizeof self->memory);
      fmu_checksum(bytes, (unsigned char *)bytes + FMU_STATE_SIZE);
      return FMU_OK;
    }

    static fmu_status fmu_deserialize(
        void *instance, const char *function, const void *bytes, size_t size, void **state)
    {
      fmu_instance *self = (fmu_instance *)instance;
      unsigned char checksum[4];
      if (self == NULL) { return FMU_ERROR; }
      if ((bytes == NULL) || (state == NULL)) { return fmu_fail(self, "%s: a null pointer", function); }
      if ((size != ((size_t)FMU_STATE_SIZE + 4u)) || (memcmp(bytes, fmu_token, sizeof fmu_token) != 0)) {
        return fmu_fail(self, "%s: these bytes are not a state of this FMU", function);
      }
      fmu_checksum(bytes, checksum);
      if (memcmp((const char *)bytes + FMU_STATE_SIZE, checksum, sizeof checksum) != 0) {
        return fmu_fail(self, "%s: the bytes of this state are damaged", function);
      }
      if (*state == NULL) { *state = calloc(1u, sizeof self->memory); }
      if (*state == NULL) { return fmu_fail(self, "%s: no memory", function); }
      memcpy(*state, (const char *)bytes + sizeof fmu_token, sizeof self->memory);
      return FMU_OK;
    }
    """#
}
