// SPDX-License-Identifier: Apache-2.0
// What instances of both versions of FMI do, in C: they are made and reset, and give, take and keep their values. A version's text declares
// before it: fmu_status, FMU_OK, FMU_ERROR, fmu_reference, fmu_integer, fmu_logger and fmu_log.

extension FMU {
  /// Made, reset, freed; what is wrong is said.
  static let instance = #"""

    typedef struct {
      fmu_memory memory;
      fmu_logger logger;
      void *environment;
      char *name;
    } fmu_instance;

    /* Says what is wrong. Texts have no signs that formats read. */
    static fmu_status fmu_fail(const fmu_instance *self, const char *format, ...)
    {
      char text[320];
      va_list list;
      va_start(list, format);
      (void)vsnprintf(text, sizeof text, format, list);
      va_end(list);
      fmu_log(self->logger, self->environment, self->name, text);
      return FMU_ERROR;
    }

    static void fmu_set_out(fmu_memory *self)
    {
      memset(self, 0, sizeof *self);
      for (int i = 0; i < FMU_REALS; ++i) { self->real[i] = fmu_start[i]; }
      self->mode = FMU_INSTANTIATED;
      fmu_begin(self);
    }

    static fmu_instance *fmu_create(
        const char *name, const char *token, fmu_logger logger, void *environment)
    {
      const char *known = (name == NULL) ? "" : name;
      const size_t length = strlen(known) + 1u;
      fmu_instance *self = NULL;
      if ((token == NULL) || (strcmp(token, fmu_token) != 0)) {
        fmu_log(
            logger, environment, known,
            "instantiate: the token is not that of this code: modelDescription.xml belongs to another export");
        return NULL;
      }
      self = (fmu_instance *)calloc(1u, sizeof *self);
      if (self != NULL) { self->name = (char *)calloc(length, 1u); }
      if ((self == NULL) || (self->name == NULL)) {
        free(self);
        fmu_log(logger, environment, known, "instantiate: no memory");
        return NULL;
      }
      memcpy(self->name, known, length);
      self->logger = logger;
      self->environment = environment;
      fmu_set_out(&self->memory);
      return self;
    }

    static void fmu_free(void *instance)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self != NULL) {
        free(self->name);
        free(self);
      }
    }

    static fmu_status fmu_reset(void *instance)
    {
      if (instance == NULL) { return FMU_ERROR; }
      fmu_set_out(&((fmu_instance *)instance)->memory);
      return FMU_OK;
    }

    static fmu_status fmu_unsupported(void *instance, const char *function)
    {
      if (instance == NULL) { return FMU_ERROR; }
      return fmu_fail(
          (fmu_instance *)instance, "%s: this FMU does not have it", function);
    }

    /* A function of variables of a kind that there are none of. */
    static fmu_status fmu_none(void *instance, const char *function, size_t count)
    {
      if (instance == NULL) { return FMU_ERROR; }
      return (count == 0u)
          ? FMU_OK
          : fmu_fail((fmu_instance *)instance, "%s: there are no variables of this type", function);
    }

    static fmu_status fmu_debug_logging(
        void *instance, const char *function, size_t count, const char *const *categories)
    {
      fmu_instance *self = (fmu_instance *)instance;
      if (self == NULL) { return FMU_ERROR; }
      if ((count > 0u) && (categories == NULL)) { return fmu_fail(self, "%s: a null pointer", function); }
      for (size_t i = 0u; i < count; ++i) {
        if ((categories[i] == NULL)
            || ((strcmp(categories[i], "logStatusError") != 0) && (strcmp(categories[i], "logAll") != 0))) {
          return fmu_fail(self, "%s: the only category is logStatusError", function);
        }
      }
      return FMU_OK;
    }
    """#

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
        return fmu_fail(self, "%s: there is no room for a state", function);
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
        return fmu_fail(self, "%s: these bytes are no state of this FMU", function);
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
