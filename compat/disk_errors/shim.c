/* A disk that fails when told to: put before the C library with LD_PRELOAD.
 *
 * The file named by DISK_ERRORS holds rules, one a line: "operation errno prefix". Operations: write, fsync, open (for
 * writing or making), read, torn (the first half of a write arrives, then every write fails). A rule holds for all
 * files whose path begins with the prefix. No rules, no difference. The file is looked at again when it has changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define RULES_MAX 16
#define REAL(name) ((__typeof__(&name))real(#name))

struct rule {
    char operation[8];
    int error;
    char prefix[PATH_MAX];
    int is_torn;
};

static struct rule rules[RULES_MAX];
static int rule_count;
static struct timespec loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static void load(void) {
    const char *path = getenv("DISK_ERRORS");
    struct stat now;
    if (path == NULL || stat(path, &now) != 0) {
        rule_count = 0;
        return;
    }
    if (now.st_mtim.tv_sec == loaded.tv_sec && now.st_mtim.tv_nsec == loaded.tv_nsec) return;
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    rule_count = 0;
    while (rule_count < RULES_MAX) {
        struct rule *rule = &rules[rule_count];
        if (fscanf(file, "%7s %d %4095s", rule->operation, &rule->error, rule->prefix) != 3) break;
        rule->is_torn = 0;
        rule_count++;
    }
    fclose(file);
    loaded = now.st_mtim;
}

/* The rule for an operation on a path, NULL when there is none. */
static struct rule *find(const char *operation, const char *path) {
    struct rule *found = NULL;
    if (inside) return NULL;
    inside = 1;
    pthread_mutex_lock(&lock);
    load();
    for (int i = 0; i < rule_count && found == NULL; i++)
        if (!strcmp(rules[i].operation, operation) && !strncmp(rules[i].prefix, path, strlen(rules[i].prefix)))
            found = &rules[i];
    pthread_mutex_unlock(&lock);
    inside = 0;
    return found;
}

static struct rule *find_fd(const char *operation, int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0 || path[0] != '/') return NULL;
    path[size] = 0;
    return find(operation, path);
}

/* How much of a write may go through: all of it (-1), or so many bytes; 0 fails with errno set. */
static ssize_t allowed(int fd, size_t size) {
    int before = errno;
    struct rule *rule = find_fd("write", fd);
    if (rule == NULL && (rule = find_fd("torn", fd)) != NULL && !rule->is_torn && size > 1) {
        rule->is_torn = 1;
        errno = before;
        return (ssize_t)(size / 2);
    }
    errno = rule == NULL ? before : rule->error;
    return rule == NULL ? -1 : 0;
}

ssize_t write(int fd, const void *data, size_t size) {
    ssize_t part = allowed(fd, size);
    return part == 0 ? -1 : REAL(write)(fd, data, part < 0 ? size : (size_t)part);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    ssize_t part = allowed(fd, size);
    return part == 0 ? -1 : REAL(pwrite)(fd, data, part < 0 ? size : (size_t)part, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return pwrite(fd, data, size, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    ssize_t part = allowed(fd, size);
    if (part == 0) return -1;
    if (part < 0) return REAL(writev)(fd, parts, count);
    return REAL(write)(fd, parts[0].iov_base, parts[0].iov_len < (size_t)part ? parts[0].iov_len : (size_t)part);
}

#define SYNC(name)                                \
    int name(int fd) {                            \
        struct rule *rule = find_fd("fsync", fd); \
        if (rule != NULL) {                       \
            errno = rule->error;                  \
            return -1;                            \
        }                                         \
        return REAL(name)(fd);                    \
    }
SYNC(fsync)
SYNC(fdatasync)

#define READ(name, offset)                                       \
    ssize_t name(int fd, void *data, size_t size, offset at) {   \
        struct rule *rule = find_fd("read", fd);                 \
        if (rule != NULL) {                                      \
            errno = rule->error;                                 \
            return -1;                                           \
        }                                                        \
        return REAL(name)(fd, data, size, at);                   \
    }
READ(pread, off_t)
READ(pread64, off64_t)

static int is_refused(const char *path, int flags) {
    struct rule *rule;
    if (path[0] != '/' || !(flags & (O_WRONLY | O_RDWR | O_CREAT))) return 0;
    if ((rule = find("open", path)) == NULL) return 0;
    errno = rule->error;
    return 1;
}

static mode_t mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        va_list list;                                     \
        va_start(list, flags);                            \
        mode_t mode = mode_of(flags, list);               \
        va_end(list);                                     \
        if (is_refused(path, flags)) return -1;           \
        return REAL(name)(path, flags, mode);             \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                          \
    int name(int at, const char *path, int flags, ...) {      \
        va_list list;                                         \
        va_start(list, flags);                                \
        mode_t mode = mode_of(flags, list);                   \
        va_end(list);                                         \
        if (is_refused(path, flags)) return -1;               \
        return REAL(name)(at, path, flags, mode);             \
    }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) { return is_refused(path, O_CREAT) ? -1 : REAL(mkdir)(path, mode); }
int rename(const char *from, const char *to) { return is_refused(to, O_CREAT) ? -1 : REAL(rename)(from, to); }
