// SPDX-License-Identifier: Apache-2.0
// See CKernelFiles.h.

#define _GNU_SOURCE
#include "CKernelFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

int kernel_memory_file(const void *bytes, size_t count) {
#ifdef MFD_CLOEXEC
  const int file = memfd_create("bagel-kernel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return -1;
  for (size_t done = 0; done < count;) {
    const ssize_t written = write(file, (const char *)bytes + done, count - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int failure = errno;
      close(file);
      errno = failure;
      return -1;
    }
    done += (size_t)written;
  }
  (void)fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return file;
#else
  (void)bytes;
  (void)count;
  errno = ENOSYS;
  return -1;
#endif
}

int kernel_open_passage(int parent, const char *name) {
#if defined(O_PATH)
  const int search = O_PATH;
#elif defined(O_SEARCH)
  const int search = O_SEARCH;
#else
  const int search = O_RDONLY;
#endif
  return openat(parent, name, search | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}
