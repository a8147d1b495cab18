/* Writes down what a process has made durable: preloaded before the C library.
 *
 * After each fsync and fdatasync that succeeded, "inode size" is appended to the file that
 * STACKPROOF_SYNCS names. The size is that from before the call: what was written while the
 * call was under way need not be on the disk. Linked against nothing, so that it can be
 * loaded beside any C library. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void note(const struct stat *of) {
    const char *file = getenv("STACKPROOF_SYNCS");
    char line[64];
    int length, journal;
    if (!file || !S_ISREG(of->st_mode))
        return;
    journal = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (journal < 0)
        return;
    length = snprintf(line, sizeof line, "%llu %llu\n", (unsigned long long)of->st_ino,
                      (unsigned long long)of->st_size);
    if (write(journal, line, length) != length)
        length = 0;
    close(journal);
}

static int synced(long call, int descriptor) {
    struct stat before;
    int known = fstat(descriptor, &before) == 0;
    int result = syscall(call, descriptor);
    if (result == 0 && known)
        note(&before);
    return result;
}

int fsync(int descriptor) { return synced(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return synced(SYS_fdatasync, descriptor); }
