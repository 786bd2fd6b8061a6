"""What a workload reports of its process: memory, and the line itself."""


def _status_kib(key):
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith(key):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def rss_kib():
    return _status_kib("VmRSS:")


def report(seconds, base):
    print(f"seconds={seconds:.6f} base_kib={base} rss_kib={rss_kib()}"
          f" peak_kib={_status_kib('VmHWM:')}")
