#define _GNU_SOURCE
#include "clinux.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static void to_words(const clinux_address *address, __be32 *words) {
    memset(words, 0, 16);
    if (address->family == AF_INET) {
        words[0] = htonl((uint32_t)address->low);
        return;
    }
    words[0] = htonl((uint32_t)(address->high >> 32));
    words[1] = htonl((uint32_t)address->high);
    words[2] = htonl((uint32_t)(address->low >> 32));
    words[3] = htonl((uint32_t)address->low);
}

// The answer may spell an IPv4 address mapped into IPv6, when the client's socket is an IPv6 one.
static int same_address(const __be32 *words, uint8_t family, const clinux_address *expected) {
    __be32 wanted[4];
    to_words(expected, wanted);
    if (expected->family == family)
        return memcmp(words, wanted, family == AF_INET ? 4 : 16) == 0;
    return expected->family == AF_INET && family == AF_INET6 && words[0] == 0 && words[1] == 0 &&
           words[2] == htonl(0xffff) && words[3] == wanted[0];
}

int32_t clinux_diagnostics_open(void) {
    int32_t fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    return fd < 0 ? -errno : fd;
}

static int32_t ask(
    int32_t descriptor, uint32_t sequence, const clinux_address *local, const clinux_address *remote) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message;
    memset(&message, 0, sizeof message);
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.header.nlmsg_flags = NLM_F_REQUEST;
    message.header.nlmsg_seq = sequence;
    message.request.sdiag_family = (uint8_t)local->family;
    message.request.sdiag_protocol = IPPROTO_TCP;
    message.request.idiag_states = ~0u;
    message.request.id.idiag_sport = htons(local->port);
    message.request.id.idiag_dport = htons(remote->port);
    to_words(local, message.request.id.idiag_src);
    to_words(remote, message.request.id.idiag_dst);
    message.request.id.idiag_if = local->scope;
    message.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    message.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    ssize_t sent;
    do {
        sent = send(descriptor, &message, sizeof message, 0);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

// The kernel falls back to a listener on the same port: `matches` says whether all four parts agree.
int32_t clinux_diagnostics_find(
    int32_t descriptor, uint32_t sequence, const clinux_address *local,
    const clinux_address *remote, clinux_socket_owner *owner) {
    if (local->family != remote->family) return -EAFNOSUPPORT;
    if (local->family != AF_INET && local->family != AF_INET6) return -EAFNOSUPPORT;
    int32_t failed = ask(descriptor, sequence, local, remote);
    if (failed) return failed;
    union {
        struct nlmsghdr header;
        char bytes[8192];
    } answer;
    // The kernel answers within send(); an answer to an older question is skipped.
    for (int attempt = 0; attempt < 16; attempt++) {
        ssize_t count;
        do {
            count = recv(descriptor, &answer, sizeof answer, 0);
        } while (count < 0 && errno == EINTR);
        if (count < 0) return -errno;
        if (!NLMSG_OK(&answer.header, (size_t)count)) return -EBADMSG;
        if (answer.header.nlmsg_seq != sequence) continue;
        if (answer.header.nlmsg_type == NLMSG_ERROR) {
            if (answer.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return -EBADMSG;
            struct nlmsgerr *error = NLMSG_DATA(&answer.header);
            return error->error < 0 ? error->error : -EBADMSG;
        }
        if (answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return -EBADMSG;
        if (answer.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return -EBADMSG;
        struct inet_diag_msg *found = NLMSG_DATA(&answer.header);
        owner->uid = found->idiag_uid;
        owner->inode = found->idiag_inode;
        owner->state = found->idiag_state;
        owner->matches = found->id.idiag_sport == htons(local->port) &&
                         found->id.idiag_dport == htons(remote->port) &&
                         same_address(found->id.idiag_src, found->idiag_family, local) &&
                         same_address(found->id.idiag_dst, found->idiag_family, remote);
        return 0;
    }
    return -EBADMSG;
}
