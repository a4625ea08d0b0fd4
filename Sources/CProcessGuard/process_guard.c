// SPDX-License-Identifier: Apache-2.0
// See CProcessGuard.h. Handlers call async-signal-safe functions only (POSIX.1-2017, 2.4.3; and ioctl, a plain system call on
// Linux) and keep errno.

#define _GNU_SOURCE
#include "CProcessGuard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char **environ;

static _Atomic int raised_signal;
static _Atomic int raised_count;
static _Atomic long long first_raised;  // ns of the monotonic clock

static char armed_bytes[1 << 16];
static _Atomic size_t armed_count;
static _Atomic size_t armed_tail;
static _Atomic int armed_descriptor = -1;
static _Atomic pid_t armed_group;

/// Real-time priority of urgent programs that are started; 0 for none.
static int program_priority;

/// Repeats before this many nanoseconds are ignored: the safe action is on its way.
static const long long patience = 2000000000;

static const int polite[] = {
    SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU,
#ifdef SIGIO
    SIGIO,
#endif
#ifdef SIGPWR
    SIGPWR,
#endif
#ifdef SIGSTKFLT
    SIGSTKFLT,
#endif
};
// A machine would keep its last action while this process is gone (Ctrl-\) or stopped (Ctrl-Z).
static const int while_driving[] = {SIGQUIT, SIGTSTP};
// A process in the background that writes to its terminal would be stopped; ignored, it writes.
static const int ignored_while_driving[] = {SIGTTIN, SIGTTOU};
static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

/// Waits until the plant has read what was written, a second at most: its answer to the step before would otherwise meet a
/// closed pipe, and end it. Returns whether it has, as far as the system tells.
static int is_read(int descriptor) {
#ifdef __linux__
  for (int waited = 0; waited < 1000; waited += 10) {
    int unread = 0;
    if (ioctl(descriptor, FIONREAD, &unread) != 0) return 0;
    if (unread <= (int)atomic_load(&armed_tail)) return 1;
    poll(NULL, 0, 10);
  }
  return 0;
#else
  poll(NULL, 0, 500);
  return 1;
#endif
}

/// Writes the armed bytes if the pipe takes them at once (it is not blocking), says how it went, and ends the program after a
/// moment: nobody else will.
static void write_armed(void) {
  const size_t count = atomic_exchange(&armed_count, 0);
  const int descriptor = atomic_load(&armed_descriptor);
  if (count == 0 || descriptor < 0) return;
  const ssize_t written = write(descriptor, armed_bytes, count);
  say(written == (ssize_t)count && is_read(descriptor)
          ? "bagel: safe action sent\n"
          : "bagel: safe action NOT delivered: the machine may hold its last action\n");
  poll(NULL, 0, 500);
  const pid_t group = atomic_load(&armed_group);
  if (group <= 0) return;
  kill(-group, SIGTERM);
  poll(NULL, 0, 300);
  kill(-group, SIGKILL);
}

static void on_signal(int number) {
  const int before = errno;
  long long never = 0;
  atomic_compare_exchange_strong(&first_raised, &never, now());
  int none = 0;
  atomic_compare_exchange_strong(&raised_signal, &none, number);
  if (atomic_fetch_add(&raised_count, 1) >= 2 && now() - atomic_load(&first_raised) > patience) {
    write_armed();
    _exit(130);
  }
  errno = before;
}

static void on_crash(int number) {
  write_armed();
  signal(number, SIG_DFL);
  raise(number);
}

void guard_prepare(void) {
  // A file opened as descriptor 1 or 2 would receive what is said to people.
  for (int descriptor = 0; descriptor <= 2; descriptor++)
    if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
      (void)open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

/// Sets the effect of a signal and lets it through: a parent may have left it blocked.
static void handle(int number, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigfillset(&action.sa_mask);
  struct sigaction before;
  // nohup: a closed terminal is not to matter.
  if (number == SIGHUP && sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_IGN) return;
  sigaction(number, &action, NULL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

static void handle_each(const int *numbers, size_t count, void (*handler)(int), int flags) {
  for (size_t k = 0; k < count; k++) handle(numbers[k], handler, flags);
}

/// Every polite signal, those for real time too.
static void handle_polite(void (*handler)(int)) {
  handle_each(polite, COUNT(polite), handler, SA_RESTART);
#ifdef SIGRTMIN
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) handle(number, handler, SA_RESTART);
#endif
}

void guard_watch(int is_driving) {
  handle_polite(on_signal);
  if (!is_driving) return;
  handle_each(while_driving, COUNT(while_driving), on_signal, SA_RESTART);
  handle_each(ignored_while_driving, COUNT(ignored_while_driving), SIG_IGN, 0);
  // An overflown stack has no room for its handler (of this thread; others crash without one).
  static char stack[1 << 16];
  const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternative, NULL);
  handle_each(crashes, COUNT(crashes), on_crash, SA_ONSTACK | SA_RESETHAND);
}

void guard_unwatch(void) {
  handle_polite(SIG_DFL);
  handle_each(while_driving, COUNT(while_driving), SIG_DFL, 0);
  handle_each(ignored_while_driving, COUNT(ignored_while_driving), SIG_DFL, 0);
  handle_each(crashes, COUNT(crashes), SIG_DFL, 0);
}

int guard_signal(void) { return atomic_load_explicit(&raised_signal, memory_order_relaxed); }

int guard_arm(int descriptor, const char *bytes, size_t count, size_t tail, pid_t group) {
  guard_disarm();
  if (count > sizeof armed_bytes) return 0;
  memcpy(armed_bytes, bytes, count);
  atomic_store(&armed_descriptor, descriptor);
  atomic_store(&armed_tail, tail);
  atomic_store(&armed_group, group);
  atomic_store(&armed_count, count);
  return 1;
}

void guard_finish(int code) {
  write_armed();
  _exit(code);
}

void guard_disarm(void) { atomic_store(&armed_count, 0); }

int guard_spawn(
    pid_t *identifier, char *const arguments[], const char *folder, int input, int output,
    int has_own_group, int is_urgent) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int failure = posix_spawn_file_actions_init(&actions);
  if (failure) return failure;
  failure = posix_spawnattr_init(&attributes);
  if (failure) {
    posix_spawn_file_actions_destroy(&actions);
    return failure;
  }
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, folder);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (has_own_group) {
    posix_spawnattr_setpgroup(&attributes, 0);
    flags |= POSIX_SPAWN_SETPGROUP;
  }
#ifdef __linux__
  if (is_urgent && program_priority > 0) {
    const struct sched_param parameters = {.sched_priority = program_priority};
    posix_spawnattr_setschedpolicy(&attributes, SCHED_FIFO);
    posix_spawnattr_setschedparam(&attributes, &parameters);
    flags |= POSIX_SPAWN_SETSCHEDULER;
  }
#endif
  posix_spawnattr_setflags(&attributes, flags);
  failure = posix_spawnp(identifier, arguments[0], &actions, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failure;
}

void guard_sharpen_sleeps(void) {
#ifdef __linux__
  prctl(PR_SET_TIMERSLACK, 1);
#endif
}

int guard_lock_memory(void) {
#ifdef __linux__
  const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
  struct rlimit limit;
  if (setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0 &&
      !(getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY))
    return EPERM;
#endif
  return mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? 0 : errno;
}

int guard_take_priority(int priority) {
#ifdef __linux__
  const struct sched_param parameters = {.sched_priority = priority};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) != 0) return errno;
  program_priority = priority - 1;
  return 0;
#else
  return ENOTSUP;
#endif
}
