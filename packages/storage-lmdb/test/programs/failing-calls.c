/*
 * Loaded before the C library (LD_PRELOAD), it lets calls on a file `data.mdb` fail. The file that
 * FAILING_CALLS names is shared with the test and holds three 32-bit words: which calls fail, with
 * which errno, and how many of them succeed before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 1, SYNC = 2, META = 3 };

static volatile int32_t *words;

__attribute__((constructor)) static void map_words(void) {
  int file = open(getenv("FAILING_CALLS"), O_RDWR);
  words = mmap(NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
}

static int fails(int file, int call) {
  char link[64], path[4096];
  if (words[0] != call) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  if (strstr(path, "/data.mdb") == NULL || words[2]-- > 0) return 0;
  errno = words[1];
  return 1;
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
  ssize_t (*call)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  /* LMDB writes its meta pages through a descriptor of their own, which syncs. */
  int kind = fcntl(file, F_GETFL) & O_DSYNC ? META : PAGE;
  return fails(file, kind) ? -1 : call(file, bytes, size, at);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  ssize_t (*call)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
  return fails(file, PAGE) ? -1 : call(file, parts, count);
}

/*
 * When a write fails, lmdb 3.5.6 prints a message of up to 107 bytes into 100 that it has allocated
 * (`mdb_page_flush` in its mdb.c), and the heap is damaged now and then. What is tested here is
 * what comes after that.
 */
extern void *__libc_malloc(size_t);
void *malloc(size_t size) { return __libc_malloc(size == 100 ? 128 : size); }

int fdatasync(int file) {
  int (*call)(int) = dlsym(RTLD_NEXT, "fdatasync");
  return fails(file, SYNC) ? -1 : call(file);
}
