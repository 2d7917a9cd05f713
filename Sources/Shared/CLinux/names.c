// Host names: the resolver that the host's administrator configured.
#define _GNU_SOURCE
#include "clinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static uint64_t big_endian(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int index = 0; index < 8; index++) value = value << 8 | bytes[index];
    return value;
}

static int32_t read_address(const struct sockaddr *form, clinux_address *address) {
    memset(address, 0, sizeof *address);
    if (form == NULL) return 0;
    if (form->sa_family == AF_INET) {
        const struct sockaddr_in *known = (const struct sockaddr_in *)form;
        address->family = CLINUX_FAMILY_IPV4;
        address->low = ntohl(known->sin_addr.s_addr);
        return 1;
    }
    if (form->sa_family != AF_INET6) return 0;
    const struct sockaddr_in6 *known = (const struct sockaddr_in6 *)form;
    address->family = CLINUX_FAMILY_IPV6;
    address->high = big_endian(known->sin6_addr.s6_addr);
    address->low = big_endian(known->sin6_addr.s6_addr + 8);
    address->scope = known->sin6_scope_id;
    return 1;
}

int32_t clinux_own_addresses(clinux_address *found, int32_t capacity) {
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) return -errno;
    int32_t count = 0;
    for (struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
        clinux_address address;
        if (!read_address(entry->ifa_addr, &address)) continue;
        if (count < capacity) found[count] = address;
        count++;
    }
    freeifaddrs(list);
    return count;
}

int32_t clinux_resolve(const char *host, uint16_t port, clinux_address *found, int32_t capacity) {
    struct addrinfo hints;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    struct addrinfo *list = NULL;
    int result = getaddrinfo(host, NULL, &hints, &list);
    if (result == EAI_NONAME || result == EAI_NODATA) return -ENOENT;
    if (result != 0) return -EAGAIN;
    int32_t count = 0;
    for (struct addrinfo *entry = list; entry != NULL && count < capacity; entry = entry->ai_next) {
        clinux_address *address = &found[count];
        if (!read_address(entry->ai_addr, address)) continue;
        address->port = port;
        count++;
    }
    freeaddrinfo(list);
    return count;
}
