#define _GNU_SOURCE
#include "clinux.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(EPOLLIN == 0x001 && EPOLLOUT == 0x004 && EPOLLERR == 0x008 && EPOLLHUP == 0x010, "");
_Static_assert(EPOLLRDHUP == 0x2000 && (uint32_t)EPOLLET == 0x80000000u, "");

#define RETRIED(type, call)                                                                        \
    type result;                                                                                   \
    do {                                                                                           \
        result = (call);                                                                           \
    } while (result < 0 && errno == EINTR);                                                        \
    return result < 0 ? -(type)errno : result

#define CHECKED(call) return (call) < 0 ? -errno : 0

int32_t clinux_epoll_create(void) {
    RETRIED(int32_t, epoll_create1(EPOLL_CLOEXEC));
}

int32_t clinux_epoll_add(int32_t epoll, int32_t descriptor, uint64_t token, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    CHECKED(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event));
}

int32_t clinux_epoll_remove(int32_t epoll, int32_t descriptor) {
    struct epoll_event event = {0};
    CHECKED(epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event));
}

int32_t clinux_epoll_wait(int32_t epoll, clinux_event *events, int32_t count, int32_t milliseconds) {
    struct epoll_event batch[256];
    int32_t limit = count > 256 ? 256 : count;
    int32_t ready = epoll_wait(epoll, batch, limit, milliseconds);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    for (int32_t i = 0; i < ready; i++) {
        events[i].token = batch[i].data.u64;
        events[i].events = batch[i].events;
    }
    return ready;
}

int64_t clinux_read(int32_t descriptor, void *bytes, size_t count) {
    RETRIED(int64_t, read(descriptor, bytes, count));
}

int64_t clinux_write(int32_t descriptor, const void *bytes, size_t count) {
    RETRIED(int64_t, write(descriptor, bytes, count));
}

int64_t clinux_receive(int32_t descriptor, void *bytes, size_t count) {
    RETRIED(int64_t, recv(descriptor, bytes, count, 0));
}

int64_t clinux_send(int32_t descriptor, const void *bytes, size_t count) {
    RETRIED(int64_t, send(descriptor, bytes, count, MSG_NOSIGNAL));
}

// After EINTR the descriptor is gone on Linux; repeating would close a stranger's.
int32_t clinux_close(int32_t descriptor) {
    return close(descriptor) < 0 && errno != EINTR ? -errno : 0;
}

int32_t clinux_duplicate(int32_t descriptor) {
    RETRIED(int32_t, fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
}

int32_t clinux_set_nonblocking(int32_t descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -errno;
    CHECKED(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK));
}

int32_t clinux_pipe(int32_t *ends) {
    CHECKED(pipe2(ends, O_CLOEXEC));
}

int32_t clinux_eventfd(void) {
    RETRIED(int32_t, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int32_t clinux_eventfd_semaphore(void) {
    RETRIED(int32_t, eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE));
}

int32_t clinux_eventfd_add(int32_t descriptor, uint64_t amount) {
    ssize_t written;
    do {
        written = write(descriptor, &amount, sizeof amount);
    } while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : 0;
}

int32_t clinux_eventfd_take(int32_t descriptor) {
    uint64_t amount;
    ssize_t taken;
    do {
        taken = read(descriptor, &amount, sizeof amount);
    } while (taken < 0 && errno == EINTR);
    return taken < 0 ? -errno : 0;
}
