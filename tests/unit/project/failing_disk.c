/* Makes the n-th write, sync or truncation of this process, and every later one, fail: what does a full or broken disk leave?
   Preloaded into a child process, which calls arm_failure(n). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

static long countdown = 0;

void arm_failure(long n) { countdown = n; }
long calls_left(void) { return countdown; }

static int fails(int code)
{
    if (countdown > 0 && --countdown == 0) { countdown = -1; errno = code; return 1; }
    if (countdown < 0) { errno = code; return 1; }
    return 0;
}

#define NEXT(type, name, ...) static type (*next)(__VA_ARGS__); if (!next) next = (type (*)(__VA_ARGS__)) dlsym(RTLD_NEXT, name)

ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o)
{ NEXT(ssize_t, "pwrite64", int, const void *, size_t, off64_t); return fails(ENOSPC) ? -1 : next(fd, b, n, o); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o)
{ NEXT(ssize_t, "pwrite", int, const void *, size_t, off_t); return fails(ENOSPC) ? -1 : next(fd, b, n, o); }
ssize_t write(int fd, const void *b, size_t n)
{ NEXT(ssize_t, "write", int, const void *, size_t); return fd > 2 && fails(ENOSPC) ? -1 : next(fd, b, n); }
int fsync(int fd) { NEXT(int, "fsync", int); return fails(EIO) ? -1 : next(fd); }
int fdatasync(int fd) { NEXT(int, "fdatasync", int); return fails(EIO) ? -1 : next(fd); }
int ftruncate64(int fd, off64_t n) { NEXT(int, "ftruncate64", int, off64_t); return fails(EIO) ? -1 : next(fd, n); }
int ftruncate(int fd, off_t n) { NEXT(int, "ftruncate", int, off_t); return fails(EIO) ? -1 : next(fd, n); }
