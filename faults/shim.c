/* Loaded into a process by LD_PRELOAD, writes down everything it does to files below SHIM_ROOT, in order, into the file
 * SHIM_LOG: so a disk can be made that lost power at any instant (journal.py). With SHIM_FAIL=KIND:NUMBER:ERRNO:TIMES
 * the calls number NUMBER to NUMBER + TIMES - 1 of a kind ("write" or "sync") fail instead. With SHIM_CLOCK=YEARS each
 * look at the calendar is up to so many years off, differently each time.
 *
 * Only what this project's writers call is covered; journal.py proves that nothing was missed by replaying the whole
 * log and comparing with the real folder.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MOST_FILES 4096

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char root[PATH_MAX];
static size_t root_length;
static int log_file = -1;
static char watched[MOST_FILES];
static char fail_kind[16];
static long fail_at, fail_times, calls_of_kind;
static int fail_errno;
static long clock_years;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    if (getenv("SHIM_CLOCK")) clock_years = atol(getenv("SHIM_CLOCK"));
    const char *folder = getenv("SHIM_ROOT"), *log = getenv("SHIM_LOG"), *fail = getenv("SHIM_FAIL");
    if (!folder || !realpath(folder, root)) return;
    root_length = strlen(root);
    if (log) log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fail) sscanf(fail, "%15[a-z]:%ld:%d:%ld", fail_kind, &fail_at, &fail_errno, &fail_times);
    unsetenv("LD_PRELOAD"); /* children are not watched */
}

static int fails(const char *kind) {
    if (!fail_times || strcmp(kind, fail_kind)) return 0;
    long number = ++calls_of_kind;
    if (number < fail_at || number >= fail_at + fail_times) return 0;
    errno = fail_errno;
    return 1;
}

static void put(const void *data, size_t length) {
    while (length) {
        ssize_t done = syscall(SYS_write, log_file, data, length);
        if (done <= 0) abort();
        data = (const char *)data + done;
        length -= done;
    }
}

/* A record: kind, number (a file's), offset, length of the first text, length of the data, then these two. */
static void note(char kind, int64_t number, int64_t offset, const char *path, const void *data, size_t length) {
    if (log_file < 0) return;
    int kept = errno;
    struct { int64_t kind, number, offset, path, length; } head =
        {kind, number, offset, path ? (int64_t)strlen(path) : 0, (int64_t)length};
    put(&head, sizeof head);
    put(path, head.path);
    put(data, length);
    errno = kept;
}

/* The absolute path where it lies below the root (links in its last part are not followed), else NULL. */
static const char *below(int folder, const char *path, char *out) {
    char joined[2 * PATH_MAX], parent[PATH_MAX], resolved[PATH_MAX];
    if (!root_length || !path || strlen(path) >= PATH_MAX) return NULL;
    if (path[0] == '/' || folder == AT_FDCWD) {
        snprintf(joined, sizeof joined, "%s", path);
    } else {
        char link[64], place[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, place, sizeof place - 1);
        if (length < 0) return NULL;
        place[length] = 0;
        snprintf(joined, sizeof joined, "%s/%s", place, path);
    }
    char *last = strrchr(joined, '/');
    if (!last) {
        strcpy(parent, ".");
        last = joined;
    } else {
        snprintf(parent, sizeof parent, "%.*s", (int)(last == joined ? 1 : last - joined), joined);
        last++;
    }
    if (!realpath(parent, resolved)) return NULL;
    if (snprintf(out, PATH_MAX, "%s/%s", strcmp(resolved, "/") ? resolved : "", last) >= PATH_MAX) return NULL;
    if (!strcmp(out, root) || (!strncmp(out, root, root_length) && out[root_length] == '/')) return out;
    return NULL;
}

static int is_watched(int file) { return file >= 0 && file < MOST_FILES && watched[file]; }

static void opened(int file, const char *path, int flags, int was_there) {
    if (file < 0 || file >= MOST_FILES) return;
    watched[file] = 1;
    note('o', file, (was_there ? 0 : 1) | (flags & O_TRUNC ? 2 : 0), path, NULL, 0);
}

static int open_any(int folder, const char *path, int flags, mode_t mode) {
    char place[PATH_MAX];
    const char *inside = below(folder, path, place);
    if (!inside) return syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat status;
    int was_there = !lstat(inside, &status);
    int file = syscall(SYS_openat, folder, path, flags, mode);
    if (file >= 0) opened(file, inside, flags, was_there);
    pthread_mutex_unlock(&lock);
    return file;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return open_any(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return open_any(folder, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int file) {
    pthread_mutex_lock(&lock);
    if (is_watched(file)) {
        watched[file] = 0;
        note('c', file, 0, NULL, NULL, 0);
    }
    int done = syscall(SYS_close, file);
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t write_at(int file, const void *data, size_t length, off_t offset, int moves) {
    pthread_mutex_lock(&lock);
    ssize_t done;
    if (fails("write")) {
        done = -1;
    } else {
        if (moves) {
            struct stat status;
            int flags = fcntl(file, F_GETFL);
            offset = flags & O_APPEND && !fstat(file, &status) ? status.st_size : lseek(file, 0, SEEK_CUR);
            done = syscall(SYS_write, file, data, length);
        } else {
            done = syscall(SYS_pwrite64, file, data, length, offset);
        }
        if (done > 0) note('w', file, offset, NULL, data, done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int file, const void *data, size_t length) {
    return is_watched(file) ? write_at(file, data, length, 0, 1) : syscall(SYS_write, file, data, length);
}
ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return is_watched(file) ? write_at(file, data, length, offset, 0)
                            : syscall(SYS_pwrite64, file, data, length, offset);
}
ssize_t pwrite64(int file, const void *data, size_t length, off_t offset) { return pwrite(file, data, length, offset); }

static int sync_any(int file, long call) {
    pthread_mutex_lock(&lock);
    int done = -1;
    if (!is_watched(file)) {
        done = syscall(call, file);
    } else if (!fails("sync")) {
        done = 0; /* the real disk need not wait: only the log counts */
        note('s', file, 0, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return done;
}
int fsync(int file) { return sync_any(file, SYS_fsync); }
int fdatasync(int file) { return sync_any(file, SYS_fdatasync); }

int ftruncate(int file, off_t size) {
    pthread_mutex_lock(&lock);
    int done = is_watched(file) && fails("write") ? -1 : syscall(SYS_ftruncate, file, size);
    if (!done && is_watched(file)) note('t', file, size, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
int ftruncate64(int file, off_t size) { return ftruncate(file, size); }

int fallocate(int file, int mode, off_t offset, off_t length) {
    if (is_watched(file)) { errno = EOPNOTSUPP; return -1; }
    return syscall(SYS_fallocate, file, mode, offset, length);
}
int fallocate64(int file, int mode, off_t offset, off_t length) { return fallocate(file, mode, offset, length); }

static int two(char kind, long done, const char *first, const char *second) {
    if (!done && first) note(kind, 0, 0, first, second, second ? strlen(second) : 0);
    return done;
}
static int rename_any(int from, const char *old, int to, const char *new) {
    char a[PATH_MAX], b[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *first = below(from, old, a), *second = below(to, new, b);
    int done = syscall(SYS_renameat2, from, old, to, new, 0);
    if (first && second) two('r', done, first, second);
    pthread_mutex_unlock(&lock);
    return done;
}
int rename(const char *old, const char *new) { return rename_any(AT_FDCWD, old, AT_FDCWD, new); }
int renameat(int from, const char *old, int to, const char *new) { return rename_any(from, old, to, new); }

static int unlink_any(int folder, const char *path, int flags) {
    char place[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *inside = below(folder, path, place);
    int done = two('u', syscall(SYS_unlinkat, folder, path, flags), inside, NULL);
    pthread_mutex_unlock(&lock);
    return done;
}
int unlink(const char *path) { return unlink_any(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlink_any(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int folder, const char *path, int flags) { return unlink_any(folder, path, flags); }
int remove(const char *path) { return unlink_any(AT_FDCWD, path, 0); }

static int mkdir_any(int folder, const char *path, mode_t mode) {
    char place[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *inside = below(folder, path, place);
    int done = two('m', syscall(SYS_mkdirat, folder, path, mode), inside, NULL);
    pthread_mutex_unlock(&lock);
    return done;
}
int mkdir(const char *path, mode_t mode) { return mkdir_any(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return mkdir_any(folder, path, mode); }

/* The C library writes its own streams without calling write() above: they are read back when they are closed. */
static FILE *streams[MOST_FILES];
static FILE *stream_open(const char *path, const char *how, FILE *(*real)(const char *, const char *)) {
    char place[PATH_MAX];
    struct stat status;
    const char *inside = how[0] == 'r' && !strchr(how, '+') ? NULL : below(AT_FDCWD, path, place);
    if (!inside) return real(path, how);
    pthread_mutex_lock(&lock);
    int was_there = !lstat(inside, &status);
    FILE *stream = fails("write") ? NULL : real(path, how);
    if (stream && fileno(stream) < MOST_FILES) {
        streams[fileno(stream)] = stream;
        opened(fileno(stream), inside, how[0] == 'w' ? O_TRUNC : 0, was_there);
    }
    pthread_mutex_unlock(&lock);
    return stream;
}
FILE *fopen(const char *path, const char *how) { REAL(fopen); return stream_open(path, how, real); }
FILE *fopen64(const char *path, const char *how) { REAL(fopen64); return stream_open(path, how, real); }

int fclose(FILE *stream) {
    REAL(fclose);
    int file = fileno(stream);
    if (!is_watched(file) || streams[file] != stream) return real(stream);
    pthread_mutex_lock(&lock);
    fflush(stream);
    char link[64], block[65536];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    int copy = syscall(SYS_openat, AT_FDCWD, link, O_RDONLY, 0);
    off_t offset = 0;
    for (ssize_t got; copy >= 0 && (got = syscall(SYS_pread64, copy, block, sizeof block, offset)) > 0; offset += got)
        note('w', file, offset, NULL, block, got);
    if (copy >= 0) syscall(SYS_close, copy);
    streams[file] = NULL;
    watched[file] = 0;
    note('c', file, 0, NULL, NULL, 0);
    int done = real(stream);
    pthread_mutex_unlock(&lock);
    return done;
}

static long off(void) {
    static unsigned long state = 88172645463325252UL;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return clock_years ? (long)(state % (2 * clock_years * 31556952UL)) - clock_years * 31556952L : 0;
}
int clock_gettime(clockid_t which, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, which, now);
    if (!done && which == CLOCK_REALTIME) now->tv_sec += off();
    return done;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
