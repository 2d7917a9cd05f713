// The kernel's door: every system call that Swift makes here goes through one of these shims.
//
// Plain integers and plain structs only, so that no libc header leaks into Swift. A result below zero
// is a negated errno, read in the same expression as the call. Calls that a signal can interrupt are
// repeated here. Every descriptor made here is close-on-exec and, if not said otherwise, non-blocking.
#ifndef TURNPIKE_CLINUX_H
#define TURNPIKE_CLINUX_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

// ---- epoll -------------------------------------------------------------------------------------

typedef struct {
    uint64_t token;
    uint32_t events;
} clinux_event;

static const uint32_t CLINUX_EVENT_IN = 0x001;
static const uint32_t CLINUX_EVENT_OUT = 0x004;
static const uint32_t CLINUX_EVENT_ERROR = 0x008;
static const uint32_t CLINUX_EVENT_HANGUP = 0x010;
static const uint32_t CLINUX_EVENT_PEER_CLOSED = 0x2000;
static const uint32_t CLINUX_EVENT_EDGE = 0x80000000u;

int32_t clinux_epoll_create(void);
int32_t clinux_epoll_add(int32_t epoll, int32_t descriptor, uint64_t token, uint32_t events);
int32_t clinux_epoll_remove(int32_t epoll, int32_t descriptor);
/// At most 256 events; a negative timeout waits without end.
int32_t clinux_epoll_wait(int32_t epoll, clinux_event *events, int32_t count, int32_t milliseconds);

// ---- descriptors -------------------------------------------------------------------------------

int64_t clinux_read(int32_t descriptor, void *bytes, size_t count);
int64_t clinux_write(int32_t descriptor, const void *bytes, size_t count);
int64_t clinux_receive(int32_t descriptor, void *bytes, size_t count);
int64_t clinux_send(int32_t descriptor, const void *bytes, size_t count);
int32_t clinux_close(int32_t descriptor);
int32_t clinux_duplicate(int32_t descriptor);
int32_t clinux_set_nonblocking(int32_t descriptor);
/// Writes {read end, write end}; both block until made non-blocking.
int32_t clinux_pipe(int32_t *ends);

int32_t clinux_eventfd(void);
/// Blocking, counts as a semaphore.
int32_t clinux_eventfd_semaphore(void);
int32_t clinux_eventfd_add(int32_t descriptor, uint64_t amount);
int32_t clinux_eventfd_take(int32_t descriptor);

// ---- sockets -----------------------------------------------------------------------------------

static const uint16_t CLINUX_FAMILY_NONE = 0;
static const uint16_t CLINUX_FAMILY_UNIX = 1;
static const uint16_t CLINUX_FAMILY_IPV4 = 2;
static const uint16_t CLINUX_FAMILY_IPV6 = 10;

/// `high` and `low` hold the address in host byte order (IPv4 in the low 32 bits of `low`).
typedef struct {
    uint64_t high;
    uint64_t low;
    uint32_t scope;
    uint16_t family;
    uint16_t port;
    uint16_t path_count;
    char path[108];
} clinux_address;

int32_t clinux_listen(const clinux_address *address, int32_t backlog, int32_t reuse_port);
int32_t clinux_accept(int32_t listener, clinux_address *peer);
/// Returns the new socket; `pending` is 1 when the connection is still being made.
int32_t clinux_connect(const clinux_address *peer, const clinux_address *source, int32_t *pending);
int32_t clinux_socket_pair(int32_t *ends);
/// The most descriptors in one message.
#define CLINUX_PASSED_MAX 64
/// Sends bytes, at least one, and descriptors with them; waits so long for room. Returns how many
/// bytes went.
int64_t clinux_send_passing(int32_t socket, const void *bytes, size_t count,
                            const int32_t *descriptors, int32_t descriptor_count,
                            int32_t milliseconds);
/// Receives bytes and the descriptors that came with them, all close-on-exec; waits so long for
/// them. `descriptors` has room for CLINUX_PASSED_MAX. Returns 0 at the end.
int64_t clinux_receive_passed(int32_t socket, void *bytes, size_t capacity, int32_t *descriptors,
                              int32_t *descriptor_count, int32_t milliseconds);
int32_t clinux_local_address(int32_t descriptor, clinux_address *address);
int32_t clinux_peer_address(int32_t descriptor, clinux_address *address);
int32_t clinux_set_no_delay(int32_t descriptor, int32_t enabled);
int32_t clinux_set_keepalive(int32_t descriptor, int32_t idle, int32_t interval, int32_t probes);
/// Segments that the peer has not acknowledged, and the milliseconds since it acknowledged anything.
int32_t clinux_delivery(int32_t descriptor, uint32_t *unacknowledged, uint32_t *silence);
int32_t clinux_set_congestion(int32_t descriptor, const char *name);
int32_t clinux_set_reset_on_close(int32_t descriptor);
/// The pending socket error as a positive errno, 0 for none.
int32_t clinux_take_socket_error(int32_t descriptor);
int32_t clinux_shutdown_write(int32_t descriptor);
int32_t clinux_peer_credentials(int32_t descriptor, uint32_t *uid, uint32_t *gid, int32_t *pid);
int32_t clinux_parse_ipv4(const char *text, uint64_t *low);
int32_t clinux_parse_ipv6(const char *text, uint64_t *high, uint64_t *low);
/// Writes at most 46 bytes including the end.
int32_t clinux_format_ipv6(uint64_t high, uint64_t low, char *text);
int32_t clinux_notify_send(const char *path, const void *bytes, size_t count);

// ---- host names --------------------------------------------------------------------------------

/// Blocks. Writes at most `capacity` addresses and returns how many; -ENOENT for a name that does not
/// exist, -EAGAIN when no resolver answers.
int32_t clinux_resolve(const char *host, uint16_t port, clinux_address *found, int32_t capacity);
/// Writes at most `capacity` of the addresses that the host has itself and returns how many it has,
/// which may be more.
int32_t clinux_own_addresses(clinux_address *found, int32_t capacity);

// ---- socket diagnostics ------------------------------------------------------------------------

typedef struct {
    uint32_t uid;
    uint32_t inode;
    uint8_t state;
    uint8_t matches;
} clinux_socket_owner;

static const uint8_t CLINUX_TCP_ESTABLISHED = 1;
static const uint8_t CLINUX_TCP_CLOSE_WAIT = 8;

int32_t clinux_diagnostics_open(void);
/// One exact request for the socket whose own end is `local` and whose peer is `remote`.
int32_t clinux_diagnostics_find(
    int32_t descriptor, uint32_t sequence, const clinux_address *local,
    const clinux_address *remote, clinux_socket_owner *owner);

// ---- threads, clocks, process ------------------------------------------------------------------

/// A value that no other live thread has.
uintptr_t clinux_thread_identity(void);
/// Starts a thread that has every signal blocked; `processor` below zero pins it nowhere.
int32_t clinux_thread_start(
    const char *name, int32_t processor, void (*body)(void *), void *context, uint64_t *thread);
int32_t clinux_thread_join(uint64_t thread);
int32_t clinux_thread_detach(uint64_t thread);
/// CPUs of the affinity mask; writes at most `capacity` CPU numbers and returns how many there are.
int32_t clinux_processors(int32_t *processors, int32_t capacity);
int64_t clinux_wall_nanoseconds(void);
int32_t clinux_random(void *bytes, size_t count);

int32_t clinux_signal_open(const int32_t *signals, int32_t count);
/// The next signal's number, or a negated errno.
int32_t clinux_signal_take(int32_t descriptor);
int32_t clinux_ignore_broken_pipe(void);
int32_t clinux_raise(int32_t signal);
int32_t clinux_raise_descriptor_limit(uint64_t *limit);
int32_t clinux_disable_core_dumps(void);
uint32_t clinux_effective_user(void);
int32_t clinux_process_identity(void);
/// Gives whole free pages of the heap back to the kernel.
void clinux_trim_heap(void);

// Bytes of memory that this process occupies, or -1.
int64_t clinux_resident_bytes(void);

// ---- child processes ---------------------------------------------------------------------------

typedef struct {
    const char *program;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    int32_t input, output, error;
    int32_t drop_privileges;
    uint32_t uid, gid;
    const uint32_t *groups;
    int32_t group_count;
    int32_t new_session;
    int32_t new_process_group;
    int32_t parent_death_signal;
} clinux_spawn;

static const int32_t CLINUX_SPAWN_STAGE_FORK = 1;
static const int32_t CLINUX_SPAWN_STAGE_SESSION = 2;
static const int32_t CLINUX_SPAWN_STAGE_REDIRECT = 3;
static const int32_t CLINUX_SPAWN_STAGE_IDENTITY = 4;
static const int32_t CLINUX_SPAWN_STAGE_DIRECTORY = 5;
static const int32_t CLINUX_SPAWN_STAGE_EXECUTE = 6;

/// Returns once the child runs the program; on failure `stage` says how far it came.
int32_t clinux_spawn_child(const clinux_spawn *spawn, int32_t *pid, int32_t *pidfd, int32_t *stage);
/// Reaps: `code` is the exit code or the signal. -EAGAIN while the child lives.
int32_t clinux_reap(int32_t pidfd, int32_t *signalled, int32_t *code);
/// Blocks until the child ended, then reaps it.
int32_t clinux_reap_blocking(int32_t pidfd, int32_t *signalled, int32_t *code);
int32_t clinux_signal_child(int32_t pidfd, int32_t signal);
/// With `group` the signal goes to the process group `pid`.
int32_t clinux_signal_group(int32_t pid, int32_t signal);
/// uid, primary gid and at most `capacity` supplementary gids of a user of this host.
int32_t clinux_find_user(
    const char *name, uint32_t *uid, uint32_t *gid, uint32_t *groups, int32_t *group_count);

// ---- files -------------------------------------------------------------------------------------

typedef struct {
    uint64_t byte_count;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint64_t device;
    int64_t modified_nanoseconds;
} clinux_file_status;

static const uint32_t CLINUX_MODE_TYPE = 0170000;
static const uint32_t CLINUX_MODE_REGULAR = 0100000;
static const uint32_t CLINUX_MODE_DIRECTORY = 0040000;
static const uint32_t CLINUX_MODE_LINK = 0120000;

int32_t clinux_open_read(const char *path, int32_t follow);
int32_t clinux_open_directory(const char *path);
/// Fails with EEXIST when something has that name.
int32_t clinux_open_new(const char *path, uint32_t mode);
int32_t clinux_open_append(const char *path, uint32_t mode);
int32_t clinux_open_lock(const char *path);
int32_t clinux_open_null(void);
int32_t clinux_lock_exclusive(int32_t descriptor);
int32_t clinux_sync(int32_t descriptor);
int32_t clinux_truncate(int32_t descriptor, uint64_t byte_count);
int32_t clinux_status(int32_t descriptor, clinux_file_status *status);
/// Does not follow a link at the end of the path.
int32_t clinux_status_at(const char *path, clinux_file_status *status);
int32_t clinux_rename(const char *from, const char *to);
int32_t clinux_remove(const char *path);
int32_t clinux_remove_directory(const char *path);
int32_t clinux_make_directory(const char *path, uint32_t mode);
int32_t clinux_change_owner(const char *path, uint32_t uid, uint32_t gid);
int32_t clinux_is_executable(const char *path);
/// Fills `names` with zero-terminated names after each other; -ERANGE when they do not fit.
int64_t clinux_list(const char *path, char *names, size_t capacity);

#endif
