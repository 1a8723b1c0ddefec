/* What a node is told by its machine, where that is not the truth: the wall clock, and whether a sync worked.
 *
 * Loaded before a node's own libraries. The file that IPAM_CHAOS_CONTROL names holds three numbers, as in `struct control`,
 * and whoever writes them changes what the node sees from then on. Monotonic clocks stay as they are: no fault of a
 * machine sets them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
	_Atomic int64_t clock_offset_s; /* added to the wall clock */
	_Atomic int64_t sync_delay_ms;  /* how long each sync takes at least */
	_Atomic int64_t sync_fails;     /* each sync fails, where it is not 0 */
};

static struct control calm;
static struct control *control = &calm;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
	real_clock_gettime =
		(int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	const char *path = getenv("IPAM_CHAOS_CONTROL");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return;
	void *mapped = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, file, 0);
	if (mapped != MAP_FAILED)
		control = mapped;
	close(file);
}

static int real_clock(clockid_t clock, struct timespec *now)
{
	/* Libraries that begin before this one ask, too. */
	if (real_clock_gettime)
		return real_clock_gettime(clock, now);
	return (int)syscall(SYS_clock_gettime, clock, now);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int failed = real_clock(clock, now);
	if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += atomic_load_explicit(&control->clock_offset_s, memory_order_relaxed);
	return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;
	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &precise))
		return -1;
	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *into)
{
	struct timespec now;
	if (clock_gettime(CLOCK_REALTIME, &now))
		return -1;
	if (into)
		*into = now.tv_sec;
	return now.tv_sec;
}

/* Takes its time; whether the sync is to fail. */
static int spoiled(void)
{
	int64_t delay = atomic_load_explicit(&control->sync_delay_ms, memory_order_relaxed);
	if (delay > 0) {
		struct timespec left = { delay / 1000, delay % 1000 * 1000000 };
		while (nanosleep(&left, &left) && errno == EINTR)
			;
	}
	if (!atomic_load_explicit(&control->sync_fails, memory_order_relaxed))
		return 0;
	errno = EIO;
	return 1;
}

int fsync(int file)
{
	return spoiled() ? -1 : (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
	return spoiled() ? -1 : (int)syscall(SYS_fdatasync, file);
}

int sync_file_range(int file, off64_t offset, off64_t bytes, unsigned int flags)
{
	return spoiled() ? -1 : (int)syscall(SYS_sync_file_range, file, offset, bytes, flags);
}
