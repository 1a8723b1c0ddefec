# Shuts file systems down at one instant, without writing their journals: what was not synced is lost.
# FS_IOC_SHUTDOWN is an ioctl, and no safe wrapper of it is at hand. Arguments: mount points.
import fcntl
import os
import struct
import sys

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)

mounts = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in sys.argv[1:]]
for mount in mounts:
    fcntl.ioctl(mount, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)
