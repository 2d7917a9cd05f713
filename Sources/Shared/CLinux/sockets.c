#define _GNU_SOURCE
#include "clinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(AF_UNIX == 1 && AF_INET == 2 && AF_INET6 == 10, "");

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
} sock_address;

static uint64_t load64(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
    return value;
}

static void store64(uint8_t *bytes, uint64_t value) {
    for (int i = 7; i >= 0; i--, value >>= 8) bytes[i] = (uint8_t)value;
}

static socklen_t to_kernel(const clinux_address *from, sock_address *to) {
    memset(to, 0, sizeof *to);
    to->any.sa_family = from->family;
    switch (from->family) {
    case AF_INET:
        to->v4.sin_port = htons(from->port);
        to->v4.sin_addr.s_addr = htonl((uint32_t)from->low);
        return sizeof to->v4;
    case AF_INET6:
        to->v6.sin6_port = htons(from->port);
        to->v6.sin6_scope_id = from->scope;
        store64(to->v6.sin6_addr.s6_addr, from->high);
        store64(to->v6.sin6_addr.s6_addr + 8, from->low);
        return sizeof to->v6;
    case AF_UNIX:
        if (from->path_count >= sizeof to->un.sun_path) return 0;
        memcpy(to->un.sun_path, from->path, from->path_count);
        if (from->path_count > 0 && from->path[0] == '@') {
            to->un.sun_path[0] = 0;
            return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + from->path_count);
        }
        return sizeof to->un;
    default:
        return 0;
    }
}

// An IPv4 address that arrives mapped into IPv6 is the IPv4 address: rules compare one spelling.
static void from_kernel(const sock_address *from, socklen_t length, clinux_address *to) {
    memset(to, 0, sizeof *to);
    if (length < sizeof(sa_family_t)) return;
    to->family = from->any.sa_family;
    switch (from->any.sa_family) {
    case AF_INET:
        to->port = ntohs(from->v4.sin_port);
        to->low = ntohl(from->v4.sin_addr.s_addr);
        break;
    case AF_INET6:
        to->port = ntohs(from->v6.sin6_port);
        to->high = load64(from->v6.sin6_addr.s6_addr);
        to->low = load64(from->v6.sin6_addr.s6_addr + 8);
        to->scope = from->v6.sin6_scope_id;
        if (to->high == 0 && to->low >> 32 == 0xffff) {
            to->family = AF_INET;
            to->low &= 0xffffffffu;
            to->scope = 0;
        }
        break;
    case AF_UNIX: {
        size_t offset = offsetof(struct sockaddr_un, sun_path);
        size_t count = length > offset ? length - offset : 0;
        if (count > sizeof to->path) count = sizeof to->path;
        memcpy(to->path, from->un.sun_path, count);
        if (count > 0 && to->path[0] == 0) {
            to->path[0] = '@';
            to->path_count = (uint16_t)count;
        } else {
            to->path_count = (uint16_t)strnlen(to->path, count);
        }
        break;
    }
    default:
        break;
    }
}

static int32_t set_number(int32_t descriptor, int level, int option, int value) {
    return setsockopt(descriptor, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int32_t closing(int32_t descriptor, int32_t error) {
    close(descriptor);
    return error;
}

int32_t clinux_listen(const clinux_address *address, int32_t backlog, int32_t reuse_port) {
    sock_address kernel;
    socklen_t length = to_kernel(address, &kernel);
    if (length == 0) return -EINVAL;
    int32_t fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int32_t failed = 0;
    if (address->family != AF_UNIX) {
        failed = set_number(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (!failed && reuse_port) failed = set_number(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        // One listener, one family: an IPv6 wildcard must not quietly take IPv4 too.
        if (!failed && address->family == AF_INET6)
            failed = set_number(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (failed) return closing(fd, failed);
    if (bind(fd, &kernel.any, length) < 0) return closing(fd, -errno);
    if (listen(fd, backlog) < 0) return closing(fd, -errno);
    return fd;
}

int32_t clinux_accept(int32_t listener, clinux_address *peer) {
    sock_address kernel;
    socklen_t length;
    int32_t fd;
    do {
        length = sizeof kernel;
        fd = accept4(listener, &kernel.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return -errno;
    from_kernel(&kernel, length, peer);
    return fd;
}

int32_t clinux_connect(const clinux_address *peer, const clinux_address *source, int32_t *pending) {
    sock_address kernel;
    socklen_t length = to_kernel(peer, &kernel);
    *pending = 0;
    if (length == 0) return -EINVAL;
    int32_t fd = socket(peer->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (source) {
        sock_address own;
        socklen_t own_length = to_kernel(source, &own);
        if (own_length == 0) return closing(fd, -EINVAL);
        // Leave the choice of the port to connect(), where it only has to be unique per peer.
        if (peer->family != AF_UNIX && source->port == 0)
            set_number(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (bind(fd, &own.any, own_length) < 0) return closing(fd, -errno);
    }
    if (connect(fd, &kernel.any, length) < 0) {
        if (errno != EINPROGRESS && errno != EINTR) return closing(fd, -errno);
        *pending = 1;
    }
    return fd;
}

int32_t clinux_socket_pair(int32_t *ends) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ? -errno : 0;
}

int32_t clinux_local_address(int32_t descriptor, clinux_address *address) {
    sock_address kernel;
    socklen_t length = sizeof kernel;
    if (getsockname(descriptor, &kernel.any, &length) < 0) return -errno;
    from_kernel(&kernel, length, address);
    return 0;
}

int32_t clinux_peer_address(int32_t descriptor, clinux_address *address) {
    sock_address kernel;
    socklen_t length = sizeof kernel;
    if (getpeername(descriptor, &kernel.any, &length) < 0) return -errno;
    from_kernel(&kernel, length, address);
    return 0;
}

int32_t clinux_set_no_delay(int32_t descriptor, int32_t enabled) {
    return set_number(descriptor, IPPROTO_TCP, TCP_NODELAY, enabled);
}

int32_t clinux_set_keepalive(int32_t descriptor, int32_t idle, int32_t interval, int32_t probes) {
    int32_t failed = set_number(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (!failed) failed = set_number(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, idle);
    if (!failed) failed = set_number(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    if (!failed) failed = set_number(descriptor, IPPROTO_TCP, TCP_KEEPCNT, probes);
    return failed;
}

int32_t clinux_delivery(int32_t descriptor, uint32_t *unacknowledged, uint32_t *silence) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -errno;
    *unacknowledged = info.tcpi_unacked;
    *silence = info.tcpi_last_ack_recv;
    return 0;
}

int32_t clinux_set_congestion(int32_t descriptor, const char *name) {
    socklen_t length = (socklen_t)strlen(name);
    return setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, length) < 0 ? -errno : 0;
}

int32_t clinux_set_reset_on_close(int32_t descriptor) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    int failed = setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return failed < 0 ? -errno : 0;
}

int32_t clinux_take_socket_error(int32_t descriptor) {
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &length) < 0) return -errno;
    return value;
}

int32_t clinux_shutdown_write(int32_t descriptor) {
    return shutdown(descriptor, SHUT_WR) < 0 ? -errno : 0;
}

int32_t clinux_peer_credentials(int32_t descriptor, uint32_t *uid, uint32_t *gid, int32_t *pid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -errno;
    *uid = credentials.uid;
    *gid = credentials.gid;
    *pid = credentials.pid;
    return 0;
}

int32_t clinux_parse_ipv4(const char *text, uint64_t *low) {
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) return -EINVAL;
    *low = ntohl(address.s_addr);
    return 0;
}

int32_t clinux_parse_ipv6(const char *text, uint64_t *high, uint64_t *low) {
    struct in6_addr address;
    if (inet_pton(AF_INET6, text, &address) != 1) return -EINVAL;
    *high = load64(address.s6_addr);
    *low = load64(address.s6_addr + 8);
    return 0;
}

int32_t clinux_format_ipv6(uint64_t high, uint64_t low, char *text) {
    struct in6_addr address;
    store64(address.s6_addr, high);
    store64(address.s6_addr + 8, low);
    return inet_ntop(AF_INET6, &address, text, INET6_ADDRSTRLEN) ? 0 : -errno;
}

int32_t clinux_notify_send(const char *path, const void *bytes, size_t count) {
    clinux_address address = {.family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.path) return -ENAMETOOLONG;
    memcpy(address.path, path, length);
    address.path_count = (uint16_t)length;
    sock_address kernel;
    socklen_t kernel_length = to_kernel(&address, &kernel);
    int32_t fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    ssize_t sent = sendto(fd, bytes, count, MSG_NOSIGNAL, &kernel.any, kernel_length);
    return closing(fd, sent < 0 ? -errno : 0);
}

static int32_t wait_for(int32_t descriptor, int16_t events, int32_t milliseconds) {
    struct pollfd wanted = {.fd = descriptor, .events = events};
    int count;
    do {
        count = poll(&wanted, 1, milliseconds);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    return count == 0 ? -ETIMEDOUT : 0;
}

typedef union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * CLINUX_PASSED_MAX)];
} passed_descriptors;

int64_t clinux_send_passing(int32_t socket, const void *bytes, size_t count,
                            const int32_t *descriptors, int32_t descriptor_count,
                            int32_t milliseconds) {
    if (descriptor_count < 0 || descriptor_count > CLINUX_PASSED_MAX || count == 0) return -EINVAL;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    passed_descriptors control;
    if (descriptor_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)descriptor_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)descriptor_count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (size_t)descriptor_count);
    }
    for (;;) {
        ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return -errno;
        int32_t waited = wait_for(socket, POLLOUT, milliseconds);
        if (waited < 0) return waited;
    }
}

int64_t clinux_receive_passed(int32_t socket, void *bytes, size_t capacity, int32_t *descriptors,
                              int32_t *descriptor_count, int32_t milliseconds) {
    *descriptor_count = 0;
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    passed_descriptors control;
    for (;;) {
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control};
        ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (received < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return -errno;
            int32_t waited = wait_for(socket, POLLIN, milliseconds);
            if (waited < 0) return waited;
            continue;
        }
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
             header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
            int32_t count = (int32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            for (int32_t index = 0; index < count; index++) {
                int passed;
                memcpy(&passed, CMSG_DATA(header) + sizeof(int) * (size_t)index, sizeof passed);
                if (*descriptor_count < CLINUX_PASSED_MAX) {
                    descriptors[(*descriptor_count)++] = passed;
                } else {
                    close(passed);
                }
            }
        }
        return received;
    }
}
