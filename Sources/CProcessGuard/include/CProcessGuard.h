// SPDX-License-Identifier: Apache-2.0
// What a process that drives a machine needs of POSIX and Swift does not offer: signal handlers that use async-signal-safe
// calls only, and a program started in a folder, in a process group of its own (plants, and compilers of kernels).
//
// A signal sets a flag that loops look at; it never ends the process by itself while a plant may hold a live action.
// The bytes that bring the machine to rest are kept ready ("armed"), so that a crash, or a third signal when the program
// hangs, can still write them.

#ifndef BAGEL_PROCESS_GUARD_H
#define BAGEL_PROCESS_GUARD_H

#include <stddef.h>
#include <sys/types.h>

/// Once, first in main: standard input, output and error are open, and a closed pipe or a file at its size limit is an
/// error of write instead of the end of the process.
void guard_prepare(void);

/// From now on every signal that would end the process sets the flag instead; with `is_driving` also those that would stop
/// it (Ctrl-Z) and those of a crash, which first write the armed bytes. A closed terminal stays ignored under nohup.
void guard_watch(int is_driving);

/// From now on signals have their default effect again.
void guard_unwatch(void);

/// The first signal that set the flag, or 0; the flag stays set.
int guard_signal(void);

/// The bytes (at most 64 KiB) to write to `descriptor` before the process ends abnormally; returns 0 if they are too long. The
/// last `tail` of them need not be read for the rest to count as delivered. Then process group `group` (0 for none) gets
/// SIGTERM, and SIGKILL. One place for the process: of two plants at once, the later has it.
int guard_arm(int descriptor, const char *bytes, size_t count, size_t tail, pid_t group);

/// Nothing is to be written any more.
void guard_disarm(void);

/// Writes the armed bytes as before an abnormal end, and ends the process with this code. Call it while no step is under way.
_Noreturn void guard_finish(int code);

/// Starts a program, found on PATH unless it has a slash, in `folder`: standard input and output are the descriptors,
/// signals have their default effect. With `has_own_group` keys of the terminal do not reach it. With `is_urgent` it shares in this process's real-time
/// priority. Returns 0 or an error number.
int guard_spawn(
    pid_t *identifier, char *const arguments[], const char *folder, int input, int output,
    int has_own_group, int is_urgent);

/// Asks for a timer slack of 1 ns for this thread's sleeps instead of 50 microseconds. Linux only.
void guard_sharpen_sleeps(void);

/// Keeps all memory of the process, present and future, in RAM. Returns 0 or an error number: EPERM where the user's
/// allowance is limited, since later memory would be refused amid a run.
int guard_lock_memory(void);

/// Gives this thread real-time priority (SCHED_FIFO), and urgent programs that are started from now on one less: a machine's
/// interface that gets no turn is as late as we are. Returns 0 or an error number.
int guard_take_priority(int priority);

#endif
