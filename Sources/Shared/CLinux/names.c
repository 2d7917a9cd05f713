// Host names: the resolver that the host's administrator configured.
#define _GNU_SOURCE
#include "clinux.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static uint64_t big_endian(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int index = 0; index < 8; index++) value = value << 8 | bytes[index];
    return value;
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
        memset(address, 0, sizeof *address);
        address->port = port;
        if (entry->ai_family == AF_INET) {
            const struct sockaddr_in *form = (const struct sockaddr_in *)entry->ai_addr;
            address->family = CLINUX_FAMILY_IPV4;
            address->low = ntohl(form->sin_addr.s_addr);
            count++;
        } else if (entry->ai_family == AF_INET6) {
            const struct sockaddr_in6 *form = (const struct sockaddr_in6 *)entry->ai_addr;
            address->family = CLINUX_FAMILY_IPV6;
            address->high = big_endian(form->sin6_addr.s6_addr);
            address->low = big_endian(form->sin6_addr.s6_addr + 8);
            address->scope = form->sin6_scope_id;
            count++;
        }
    }
    freeaddrinfo(list);
    return count;
}
