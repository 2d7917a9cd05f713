#define _GNU_SOURCE
#include "clinux.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(S_IFMT == 0170000 && S_IFREG == 0100000 && S_IFDIR == 0040000, "");
_Static_assert(S_IFLNK == 0120000, "");

#define CHECKED(call) return (call) < 0 ? -errno : 0

static int32_t opened(const char *path, int flags, mode_t mode) {
    int32_t fd;
    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

// Non-blocking, so that a FIFO under that name cannot hang the caller.
int32_t clinux_open_read(const char *path, int32_t follow) {
    return opened(path, O_RDONLY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW), 0);
}

int32_t clinux_open_directory(const char *path) {
    return opened(path, O_RDONLY | O_DIRECTORY, 0);
}

int32_t clinux_open_new(const char *path, uint32_t mode) {
    return opened(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

int32_t clinux_open_append(const char *path, uint32_t mode) {
    return opened(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode);
}

int32_t clinux_open_lock(const char *path) {
    return opened(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

int32_t clinux_open_null(void) {
    return opened("/dev/null", O_RDWR, 0);
}

int32_t clinux_lock_exclusive(int32_t descriptor) {
    CHECKED(flock(descriptor, LOCK_EX | LOCK_NB));
}

int32_t clinux_sync(int32_t descriptor) {
    CHECKED(fsync(descriptor));
}

int32_t clinux_truncate(int32_t descriptor, uint64_t byte_count) {
    CHECKED(ftruncate(descriptor, (off_t)byte_count));
}

static int32_t filled(int result, const struct stat *from, clinux_file_status *to) {
    if (result < 0) return -errno;
    to->byte_count = (uint64_t)from->st_size;
    to->mode = from->st_mode;
    to->uid = from->st_uid;
    to->gid = from->st_gid;
    to->device = (uint64_t)from->st_dev;
    to->modified_nanoseconds = (int64_t)from->st_mtim.tv_sec * 1000000000 + from->st_mtim.tv_nsec;
    return 0;
}

int32_t clinux_status(int32_t descriptor, clinux_file_status *status) {
    struct stat found;
    int result = fstat(descriptor, &found);
    return filled(result, &found, status);
}

int32_t clinux_status_at(const char *path, clinux_file_status *status) {
    struct stat found;
    int result = lstat(path, &found);
    return filled(result, &found, status);
}

int32_t clinux_rename(const char *from, const char *to) {
    CHECKED(rename(from, to));
}

int32_t clinux_remove(const char *path) {
    CHECKED(unlink(path));
}

int32_t clinux_remove_directory(const char *path) {
    CHECKED(rmdir(path));
}

int32_t clinux_make_directory(const char *path, uint32_t mode) {
    CHECKED(mkdir(path, mode));
}

int32_t clinux_change_owner(const char *path, uint32_t uid, uint32_t gid) {
    CHECKED(lchown(path, uid, gid));
}

int32_t clinux_is_executable(const char *path) {
    struct stat found;
    if (stat(path, &found) < 0) return -errno;
    if (!S_ISREG(found.st_mode)) return -EACCES;
    CHECKED(access(path, X_OK));
}

int64_t clinux_list(const char *path, char *names, size_t capacity) {
    DIR *directory = opendir(path);
    if (!directory) return -errno;
    size_t used = 0;
    int64_t failed = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (!entry) {
            failed = -errno;
            break;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        size_t length = strlen(entry->d_name) + 1;
        if (length > capacity - used) {
            failed = -ERANGE;
            break;
        }
        memcpy(names + used, entry->d_name, length);
        used += length;
    }
    closedir(directory);
    return failed ? failed : (int64_t)used;
}
