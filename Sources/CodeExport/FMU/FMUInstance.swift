// SPDX-License-Identifier: Apache-2.0
// How instances of both versions of FMI are made, reset and freed, in C (FMUValues has their values). A version's text declares before
// it: fmu_status, FMU_OK, FMU_ERROR, fmu_reference, fmu_integer, fmu_logger and fmu_log.

extension FMU {
  /// Made, reset, freed; what is wrong is said.
  static let instance = #"""

    typedef struct {
      fmu_memory memory;
      fmu_logger logger;
      void *environment;
      char *name;
    } fmu_instance;

    /* Reports an error. Texts have no format characters. */
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
          (fmu_instance *)instance, "%s: this FMU does not support it", function);
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
}
