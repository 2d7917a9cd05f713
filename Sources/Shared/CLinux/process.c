#define _GNU_SOURCE
#include "clinux.h"

#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// ---- threads and clocks ----

static _Thread_local char thread_marker;

uintptr_t clinux_thread_identity(void) {
    return (uintptr_t)&thread_marker;
}

typedef struct {
    void (*body)(void *);
    void *context;
    int32_t processor;
    char name[16];
} thread_start;

static void *thread_main(void *argument) {
    thread_start start = *(thread_start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    if (start.processor >= 0 && start.processor < CPU_SETSIZE) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(start.processor, &set);
        pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    start.body(start.context);
    return NULL;
}

int32_t clinux_thread_start(
    const char *name, int32_t processor, void (*body)(void *), void *context, uint64_t *thread) {
    thread_start *start = calloc(1, sizeof *start);
    if (!start) return -ENOMEM;
    start->body = body;
    start->context = context;
    start->processor = processor;
    strncpy(start->name, name, sizeof start->name - 1);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t handle;
    int failed = pthread_create(&handle, NULL, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        free(start);
        return -failed;
    }
    *thread = (uint64_t)handle;
    return 0;
}

int32_t clinux_thread_join(uint64_t thread) {
    return -pthread_join((pthread_t)thread, NULL);
}

int32_t clinux_thread_detach(uint64_t thread) {
    return -pthread_detach((pthread_t)thread);
}

int32_t clinux_processors(int32_t *processors, int32_t capacity) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
    int32_t count = 0;
    for (int32_t i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &set)) continue;
        if (count < capacity) processors[count] = i;
        count++;
    }
    return count;
}

int64_t clinux_wall_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int32_t clinux_random(void *bytes, size_t count) {
    uint8_t *next = bytes;
    while (count > 0) {
        ssize_t filled = getrandom(next, count, 0);
        if (filled < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        next += filled;
        count -= (size_t)filled;
    }
    return 0;
}

// ---- signals and limits ----

int32_t clinux_signal_open(const int32_t *signals, int32_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (int32_t i = 0; i < count; i++)
        if (sigaddset(&set, signals[i]) < 0) return -errno;
    int failed = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (failed) return -failed;
    int32_t fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int32_t clinux_signal_take(int32_t descriptor) {
    struct signalfd_siginfo info;
    ssize_t taken;
    do {
        taken = read(descriptor, &info, sizeof info);
    } while (taken < 0 && errno == EINTR);
    if (taken < 0) return -errno;
    return taken == sizeof info ? (int32_t)info.ssi_signo : -EBADMSG;
}

int32_t clinux_ignore_broken_pipe(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    return sigaction(SIGPIPE, &ignore, NULL) < 0 ? -errno : 0;
}

int32_t clinux_raise(int32_t signal) {
    return -pthread_kill(pthread_self(), signal);
}

int32_t clinux_raise_descriptor_limit(uint64_t *limit) {
    struct rlimit current;
    if (getrlimit(RLIMIT_NOFILE, &current) < 0) return -errno;
    current.rlim_cur = current.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &current) < 0) return -errno;
    *limit = current.rlim_cur;
    return 0;
}

int32_t clinux_disable_core_dumps(void) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0) return -errno;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

uint32_t clinux_effective_user(void) {
    return geteuid();
}

void clinux_trim_heap(void) {
    malloc_trim(0);
}

int64_t clinux_resident_bytes(void) {
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return -1;
    text[count] = 0;
    long long whole = 0, resident = 0;
    if (sscanf(text, "%lld %lld", &whole, &resident) != 2) return -1;
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

int32_t clinux_process_identity(void) {
    return getpid();
}

// ---- children ----

typedef struct {
    int32_t stage;
    int32_t error;
} spawn_failure;

// Ends a child before its program has begun. The plain system call, because what a sanitizer puts in the
// place of _exit waits for threads that fork did not copy.
static void child_ended(void) { syscall(SYS_exit_group, 127); }

static void child_failed(int report, int32_t stage) {
    spawn_failure failure = {stage, errno};
    ssize_t written = write(report, &failure, sizeof failure);
    (void)written;
    child_ended();
}

// Moves a descriptor out of 0...2, so that one redirection cannot overwrite another's source.
static int above_standard(int descriptor) {
    return descriptor < 0 || descriptor > 2 ? descriptor : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

static void child_main(const clinux_spawn *spawn, int report, pid_t parent) {
    // Ignored signals and the blocked mask survive exec: the program must find both as at login.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    if (spawn->new_session && setsid() < 0) child_failed(report, CLINUX_SPAWN_STAGE_SESSION);
    if (!spawn->new_session && spawn->new_process_group && setpgid(0, 0) < 0)
        child_failed(report, CLINUX_SPAWN_STAGE_SESSION);

    int input = above_standard(spawn->input);
    int output = above_standard(spawn->output);
    int error = above_standard(spawn->error);
    if (input < 0 || dup2(input, 0) < 0) child_failed(report, CLINUX_SPAWN_STAGE_REDIRECT);
    if (output < 0 || dup2(output, 1) < 0) child_failed(report, CLINUX_SPAWN_STAGE_REDIRECT);
    if (error < 0 || dup2(error, 2) < 0) child_failed(report, CLINUX_SPAWN_STAGE_REDIRECT);
    if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) < 0)
        child_failed(report, CLINUX_SPAWN_STAGE_REDIRECT);

    // Groups first, uid last: after the uid there is no right left to change the others. The plain
    // system calls, because the library's versions wait for threads that fork did not copy.
    if (spawn->drop_privileges) {
        if (syscall(SYS_setgroups, (size_t)spawn->group_count, spawn->groups) < 0)
            child_failed(report, CLINUX_SPAWN_STAGE_IDENTITY);
        if (syscall(SYS_setresgid, spawn->gid, spawn->gid, spawn->gid) < 0)
            child_failed(report, CLINUX_SPAWN_STAGE_IDENTITY);
        if (syscall(SYS_setresuid, spawn->uid, spawn->uid, spawn->uid) < 0)
            child_failed(report, CLINUX_SPAWN_STAGE_IDENTITY);
    }
    if (spawn->parent_death_signal) {
        if (prctl(PR_SET_PDEATHSIG, spawn->parent_death_signal, 0, 0, 0) < 0)
            child_failed(report, CLINUX_SPAWN_STAGE_IDENTITY);
        if (getppid() != parent) child_ended();
    }
    if (spawn->directory && chdir(spawn->directory) < 0)
        child_failed(report, CLINUX_SPAWN_STAGE_DIRECTORY);
    execve(spawn->program, spawn->arguments, spawn->environment);
    child_failed(report, CLINUX_SPAWN_STAGE_EXECUTE);
}

int32_t clinux_spawn_child(
    const clinux_spawn *spawn, int32_t *pid, int32_t *pidfd, int32_t *stage) {
    *stage = CLINUX_SPAWN_STAGE_FORK;
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return -errno;
    if (report[1] < 3) {
        int moved = above_standard(report[1]);
        int failed = errno;
        close(report[1]);
        if (moved < 0) {
            close(report[0]);
            return -failed;
        }
        report[1] = moved;
    }
    pid_t parent = getpid();
    // No handler of ours may run in the copy before it has reset the dispositions.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = _Fork();
    if (child == 0) child_main(spawn, report[1], parent);
    int failed = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (failed) {
        close(report[0]);
        return -failed;
    }
    spawn_failure failure;
    ssize_t count;
    do {
        count = read(report[0], &failure, sizeof failure);
    } while (count < 0 && errno == EINTR);
    close(report[0]);
    int32_t fd = -1;
    if (count == 0) {
        fd = (int32_t)syscall(SYS_pidfd_open, child, 0);
        if (fd >= 0) {
            *pid = child;
            *pidfd = fd;
            return 0;
        }
        failed = errno;
        kill(child, SIGKILL);
    } else if (count == sizeof failure) {
        *stage = failure.stage;
        failed = failure.error;
    } else {
        failed = EIO;
        kill(child, SIGKILL);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    return -failed;
}

static int32_t reap(int32_t pidfd, int32_t *signalled, int32_t *code, int options) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int failed;
    do {
        failed = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | options);
    } while (failed < 0 && errno == EINTR);
    if (failed < 0) return -errno;
    if (info.si_pid == 0) return -EAGAIN;
    *signalled = info.si_code != CLD_EXITED;
    *code = info.si_status;
    return 0;
}

int32_t clinux_reap(int32_t pidfd, int32_t *signalled, int32_t *code) {
    return reap(pidfd, signalled, code, WNOHANG);
}

int32_t clinux_reap_blocking(int32_t pidfd, int32_t *signalled, int32_t *code) {
    return reap(pidfd, signalled, code, 0);
}

int32_t clinux_signal_child(int32_t pidfd, int32_t signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int32_t clinux_signal_group(int32_t pid, int32_t signal) {
    if (pid <= 1) return -EINVAL;
    return kill(-pid, signal) < 0 ? -errno : 0;
}

int32_t clinux_find_user(
    const char *name, uint32_t *uid, uint32_t *gid, uint32_t *groups, int32_t *group_count) {
    struct passwd entry, *found = NULL;
    char text[16384];
    int failed = getpwnam_r(name, &entry, text, sizeof text, &found);
    if (failed) return -failed;
    if (!found) return -ENOENT;
    *uid = entry.pw_uid;
    *gid = entry.pw_gid;
    if (getgrouplist(name, entry.pw_gid, groups, group_count) < 0) return -ERANGE;
    return 0;
}
